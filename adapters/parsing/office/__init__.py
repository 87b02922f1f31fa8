"""Office files: Word, PowerPoint, Excel."""
