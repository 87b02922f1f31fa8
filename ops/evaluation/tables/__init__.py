"""``claw eval tables``: questions on tables in every format that has them, with known answers."""
