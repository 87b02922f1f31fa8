"""Files that contain files: archives and mail."""
