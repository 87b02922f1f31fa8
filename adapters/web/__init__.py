"""The web: pages fetched within bounds, robots.txt, public addresses only."""
