"""Texts that passages are cut from."""

COPIED = (
    "The harbour of Wittdün was opened in 1890 by the railway company, and the ferry to Dagebüll calls there four times on every day of "
    "the summer, weather permitting. "
)


ROWS = "\n".join(f"- item {number} of the list costs {number} euros and is delivered within {number} days" for number in range(12))
