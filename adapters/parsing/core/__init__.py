"""Shared by all parsers: sources and their limits, encodings, detection, blocks."""
