"""Rate limits and quotas over HTTP.

Admission rule: routes about limits, and the quotas that other areas check. How requests are limited is decided in ``domain.limits``.
"""
