"""Network servers, one file each: an HTTP request of the network becomes a Message."""
