"""The WebSocket: the HTTP routes for conversations and progress, many at once over one connection.

A frame stands for an HTTP request: it passes the gate (credential, limits, scope) and runs the handler of that route; each event of the
resulting stream is sent as a frame. So rights, limits and idempotency are the same as over HTTP, and another streaming route needs one line
in ``requests.ROUTES``. ``docs/socket.md`` describes the protocol.

Admission rule: the connection, its frames and its credential; nothing that HTTP does not offer.
"""
