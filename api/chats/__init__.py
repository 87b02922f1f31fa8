"""Questions and replies."""
