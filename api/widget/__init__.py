"""The door of `<claw-chat>`: questions of strangers, with a key that stands in the page where they read it (docs/embed.md).

So these routes take no other credential and read no cookie, pages of any origin may call them, and a visitor sees of an answer what a
reader of the page needs: its text, and of each source the title, the place and the quote. A question becomes one without a conversation
(``api/chats/standalone.py``), and its answer is found with the same key alone.

Admission rule: what a visitor of a page does. Keys are made and changed in ``api/accounts/api_keys.py``.
"""
