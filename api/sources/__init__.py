"""Sources of citations: a document in the version that an answer was made from, as page images or as passages."""
