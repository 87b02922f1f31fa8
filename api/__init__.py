"""The HTTP and WebSocket API: authenticate, limit, publish, relay. One package per area (``areas.py``), the plumbing in ``http``.

Admission rule: no Faust, no model, no index engine. Work that takes time is done by an agent.
"""
