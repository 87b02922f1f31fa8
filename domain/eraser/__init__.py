"""Erasure: what is stored where of a person or a tenant (the inventory), how it is found, how it goes, and what the certificate says.

Admission rule: code that has to know every topic, every family of Redis keys, the files and the index. A new topic or family without an
entry in the inventory fails ``tests/domain/eraser/test_log_places.py``.
"""
