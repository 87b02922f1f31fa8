"""Passwords, access tokens, encryption of what must not stand in clear on the log."""
