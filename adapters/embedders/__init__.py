"""Dense vectors of texts: static embeddings in this process, or a provider's."""

from adapters.embedders.choose import create_embedder
from adapters.embedders.port import Embedder
from adapters.embedders.query import EncodedQuery, QueryEncoder

__all__ = ["Embedder", "EncodedQuery", "QueryEncoder", "create_embedder"]
