"""Dense vectors of texts: static embeddings in this process, or a provider's."""

from adapters.embedders.choose import embedder_of
from adapters.embedders.port import Embedder
from adapters.embedders.query import Encoded, QueryEncoder

__all__ = ["Embedder", "Encoded", "QueryEncoder", "embedder_of"]
