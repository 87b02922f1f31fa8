"""Answering models behind one port.

Admission rule: whoever turns a question with passages into text, and what that takes: prompts, citations, the ground for "not found".
"""
