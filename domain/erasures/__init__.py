"""Erasures of accounts and tenants: their record. What is stored where, and how it goes, is ``domain/eraser``."""
