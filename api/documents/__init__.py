"""Documents: submission, upload and progress.

Admission rule: what puts a document on the log, or shows its state. Their contents are read in ``api.knowledge``.
"""
