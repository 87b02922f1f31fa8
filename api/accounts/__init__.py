"""Accounts, sessions, API keys and usage.

Admission rule: routes about the caller's own account or tenant. Authentication of requests is in ``api.http.identity``.
"""
