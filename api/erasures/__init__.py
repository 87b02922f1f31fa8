"""Erasure of accounts and organisations.

Admission rule: routes that begin an erasure or show one. The work is ``agents/erase.py``.
"""
