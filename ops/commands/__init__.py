"""What ``claw`` commands do, one module each."""
