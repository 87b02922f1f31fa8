"""Widgets: chats that pages of others embed, with an API key that everybody can read there.

Admission rule: what bounds such a key. What it asks is a question like any other, of the area of chats.
"""
