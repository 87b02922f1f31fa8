"""Rate limits, access lists, reservations and decision statistics."""
