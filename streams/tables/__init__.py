"""State in Redis that the log can restore: record tables, counters, windows."""
