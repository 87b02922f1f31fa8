"""The WebSocket: what HTTP offers for conversations, many at once over one connection.

A frame is the HTTP request it stands for: it passes the gate (credential, limits, scope), runs the very handler of that route, and the
event stream that comes of it is told frame by frame. So nothing is allowed, counted or remembered differently here, and a stream that HTTP
gets needs a line in ``requests.ROUTES`` to be here, too. ``docs/socket.md`` is the protocol.
"""
