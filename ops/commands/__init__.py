"""The ``claw`` commands, one module each."""
