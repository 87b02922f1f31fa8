"""The bodies of the HTTP API, one module per area; ``streams.py`` has the data of every streamed event.

Requests refuse unknown fields and declare their limits; responses show no internals (tenant, hashes, deletion marks).
"""
