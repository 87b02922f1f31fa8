"""Lines of CSV files."""

import csv
import io
from collections.abc import Sequence

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet may take for a formula


def csv_line(cells: Sequence[str]) -> bytes:
    """One line after RFC 4180. A cell that a spreadsheet would compute, and whose text a stranger may have chosen, is quoted for it."""
    text = io.StringIO(newline="")
    csv.writer(text).writerow([f"'{cell}" if cell.startswith(FORMULA) and cell != "-" else cell for cell in cells])
    return text.getvalue().encode()
