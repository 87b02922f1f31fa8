"""Health, cache and dead letters: what an operator looks at."""
