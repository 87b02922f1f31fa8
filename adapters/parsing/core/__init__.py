"""What every parser uses: sources and their limits, encodings, detection, blocks."""
