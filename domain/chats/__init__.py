"""Conversations and replies: history, reply lock, relay, audit trail."""
