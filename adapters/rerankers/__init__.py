"""Models that read a question and a passage together and score how well they fit: better than any first search, and slower.

Off unless ``CLAW_RETRIEVAL_RERANK_PROVIDER`` or ``CLAW_RETRIEVAL_RERANK_URL`` names one. A reranker that fails, is slow or talks nonsense
changes nothing: the hits keep the order of the search.
"""
