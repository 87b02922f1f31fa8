"""The OpenAI-compatible routes: requests of the official clients, answered in the format they expect.

A completion is a question without a conversation (``api/chats/standalone.py``). Parsing a request (``requests.py``) and encoding an answer
(``responses.py``) are pure; docs/openai.md lists which parameters are supported, ignored and refused.

Admission rule: only what translates between OpenAI's format and the chats area.
"""
