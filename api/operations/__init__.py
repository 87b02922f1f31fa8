"""Health, cache and dead letters.

Admission rule: routes for operators and monitoring.
"""
