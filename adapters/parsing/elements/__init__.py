"""Formats that `unstructured` partitions: pandoc converts them, and elements become blocks."""
