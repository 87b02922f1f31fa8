"""Chinese and English text: languages, terms, sparse vectors, near duplicates."""
