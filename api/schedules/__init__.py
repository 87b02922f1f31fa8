"""Schedules: what a tenant, or the installation, does again and again.

Admission rule: the schedules themselves. Their runs are tasks.
"""
