"""Notices of the caller's account, and its webhooks."""
