"""Redis: one client that fails fast, many callers on one connection."""
