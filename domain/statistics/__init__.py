"""Statistics of use: who is active, how answers end, what readers think of them, as tables by day."""
