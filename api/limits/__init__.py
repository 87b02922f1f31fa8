"""Rate limits and quotas over HTTP."""
