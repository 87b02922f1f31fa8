"""Measurements, never tests. ``make bench`` runs all, ``make bench BENCH=name`` one.

Figures are ratios against a baseline of the same run wherever one can be had: machines are shared and noisy.
"""
