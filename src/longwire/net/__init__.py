"""The outgoing side of the wire: names to addresses, requests to responses.

Read in this order: *salvage*, *response* (bytes to one answer) -> *tls* -> *connection* (one socket: busy with an
exchange, idle, or dropped) -> *pool* (a shelf of sockets for each destination) -> *resolver*, *judge* (which addresses
may be dialled) -> *dialler* (opens sockets) -> *client* (what the rest of Longwire calls).
"""
