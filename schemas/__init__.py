"""The contracts as data: events, bodies, errors, settings.

Admission rule: msgspec and the standard library only; no I/O, no clock, no randomness.
"""
