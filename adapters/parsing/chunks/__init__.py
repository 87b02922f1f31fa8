"""From parsed text to chunks of bounded size."""
