"""Dead letters, the records that could not be processed: written, read, redriven."""
