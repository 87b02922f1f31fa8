"""Files as pages that a reader looks at: their images, and boxes over quoted words. Runs in a confined child (``adapters/children``)."""
