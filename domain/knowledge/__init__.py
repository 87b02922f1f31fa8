"""Knowledge bases: sets of documents."""
