"""Answering models against a provider that really listens."""
