"""Questions on tables: read whole, the answer computed, with the rows that it rests on."""
