"""The plumbing below every route: request context, authentication, limits, problems, server-sent events, documentation."""
