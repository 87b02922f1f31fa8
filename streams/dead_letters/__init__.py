"""Records that could not be handled: written, read, sent again."""
