"""The outgoing side of the wire: names to addresses, requests to responses.

Read in this order: *salvage*, *response* (bytes to one answer) -> *tls* (contexts by settings) -> *route* (whom to
dial for an endpoint, in which form to ask) -> *connection* (one socket: busy with an exchange, idle, or dropped) ->
*pool* (a shelf of sockets for each endpoint) -> *leg* (a socket to a proxy while we speak with the proxy), *socks5*,
*tunnel* -> *slots* (whose turn it is) -> *resolver*, *judge* (which addresses may be dialled) -> *dialler* (opens
sockets) -> *client* (what the rest of Longwire calls).
"""
