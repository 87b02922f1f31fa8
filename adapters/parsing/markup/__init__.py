"""Text formats: HTML, web pages, Markdown, delimited tables."""
