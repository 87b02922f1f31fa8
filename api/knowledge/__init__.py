"""Knowledge bases, their search and their indexes."""
