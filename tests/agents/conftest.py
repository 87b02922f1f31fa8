"""A client of the session's Redis under a prefix of its own."""
