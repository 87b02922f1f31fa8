"""Backups: the topics of an installation, the files of its documents and, when asked for, its secrets, as a folder or a tar archive.

``archive`` and ``manifest`` are the format, ``frames`` what lies in its files, ``padding`` what makes offsets equal after a restore; they
know nothing that runs. ``log_copy`` and ``log_restore`` talk to Kafka, ``blob_copy`` to the blob store, ``servers`` starts those of a
stopped stack.
"""
