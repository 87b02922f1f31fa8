"""Answering models behind one port.

Admission rule: models that turn a question with passages into text, and what they need: prompts, citations, answerability.
"""
