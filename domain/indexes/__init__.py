"""Collections of a knowledge base's index: the catalogue, plans, and reindexing beside the visible collection."""
