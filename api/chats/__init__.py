"""Questions, answers and feedback.

Admission rule: what puts a question on the log, streams its answer or explains it; with and without a conversation.
"""
