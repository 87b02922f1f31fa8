"""Conversations, their messages, titles and export.

Admission rule: the records of conversations. Whatever asks a question belongs to ``api.chats``.
"""
