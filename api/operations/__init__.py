"""Health and cache.

Admission rule: routes for operators and monitoring.
"""
