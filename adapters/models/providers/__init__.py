"""Language models of providers: their wire formats, errors, prices of families, presets, thinking."""
