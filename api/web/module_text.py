"""A module as browsers get it: without the comments that have lines of their own, which are a tenth of our modules' weight.

Lines keep their numbers, so an error of a browser names the line of the file.
"""


def drop_comments(text: str) -> str:
    """The module with empty lines in place of ``// ...`` and ``/** ... */`` that stand on lines of their own. Time is linear.

    What lies in a template literal is text, whatever it looks like. Backticks tell, and one in a string or a pattern may make code look
    like text: then a comment stays, and no more.
    """
    lines: list[str] = []
    is_template = is_comment = False
    for line in text.split("\n"):
        stripped = line.strip()
        if is_comment:
            is_comment = not stripped.endswith("*/")
            lines.append("")
        elif not is_template and stripped.startswith("//"):
            lines.append("")
        elif not is_template and stripped.startswith("/**") and (stripped.endswith("*/") or "*/" not in stripped):
            is_comment = not stripped.endswith("*/")
            lines.append("")
        else:
            is_template ^= line.replace("\\`", "").count("`") % 2 == 1
            lines.append(line)
    return "\n".join(lines)
