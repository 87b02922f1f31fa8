"""The vector index: one port, the engine in this process or a Qdrant server behind it."""
