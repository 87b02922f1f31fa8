"""PDF: text in reading order, tables, scanned pages."""
