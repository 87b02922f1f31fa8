"""Accounts, sessions, API keys, usage of an account."""
