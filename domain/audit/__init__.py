"""The audit log: entries as events, read back from their topic."""
