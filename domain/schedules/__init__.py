"""Schedules: their records, the times of their ticks, and the ticker that fires them.

Admission rule: when something runs. What runs, and how it goes on, is a job (``domain/jobs``).
"""
