"""The thin door: authenticate, limit, publish, relay. One file per area of the HTTP contract.

Admission rule: no Faust, no model, no index; what takes time happens in an agent.
"""
