"""Knowledge bases, their search and their indexes.

Admission rule: records of knowledge bases, and requests to the agents that hold the index.
"""
