"""The one home of vendor imports, each behind a small protocol.

Admission rule: a module here wraps one outside thing (a model, an index engine, a parser, Redis) and knows nothing of topics or agents.
"""
