"""Conversations: their records, titles, export."""
