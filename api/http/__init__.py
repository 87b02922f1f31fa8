"""The plumbing below every route: request context, authentication, limits, problems, server-sent events, watches, documentation.

Admission rule: used by several areas, and knows none of them. No routes but those that document the API.
"""
