"""Answering models behind one port.

Admission rule: models that turn a question with passages into text, and what they need: prompts, citations, answerability. ``providers``
are the clients of language models and what is known of them, ``grounding`` is what passages say and support (with the answerer that needs
no model), ``dialogue`` what a question means in its conversation.
"""
