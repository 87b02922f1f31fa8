"""How foreign XML is parsed: nothing is fetched, entities stay names, and depth and sizes are bounded."""

from typing import Any

# Of lxml's parser and its iterparse. libxml2 itself ends at 256 elements in each other and at texts of 10 MB: what is recursive over a tree
# stays shallow.
XML_OPTIONS: dict[str, Any] = {
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "huge_tree": False,
    "remove_comments": True,
    "remove_pis": True,
}
