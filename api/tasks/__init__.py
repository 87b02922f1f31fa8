"""Tasks: every piece of asynchronous work, listed, followed, cancelled, retried; and dead letters.

Admission rule: what is the same for tasks of every kind. What a kind does when it is cancelled or retried is its own area's.
"""
