"""The long-running processes: API, workers, and what they share."""
