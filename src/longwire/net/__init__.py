"""The outgoing side of the wire: names to addresses, requests to responses."""
