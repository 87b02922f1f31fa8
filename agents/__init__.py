"""One verb per file; each opens with reads -> does -> writes.

Admission rule: a step is event + ports -> events. Agents never import each other: topics are their only conversation.
"""
