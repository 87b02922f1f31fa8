"""What requests and responses of the HTTP API say, one module per area.

Requests refuse unknown fields and name their limits; responses show no internals (tenant, hashes, deletion marks).
"""
