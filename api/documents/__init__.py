"""Documents: submission, upload, progress."""
