"""Webhooks after the Standard Webhooks specification: signatures, and the client that delivers messages."""
