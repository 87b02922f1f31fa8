"""What people spend, in windows of time."""
