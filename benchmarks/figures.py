"""Figures: one JSON line each on standard output, and a section of docs/benchmarks.md per benchmark."""

import json
import platform
import re
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

PAGE = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured value; ``ratio`` is value / baseline where a baseline was run in the same call, ``bar`` the target."""

    name: str
    value: float
    unit: str
    ratio: float | None = None
    baseline: str = ""
    bar: str = ""


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile; ``share`` in 0..1."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def show(figure: Figure) -> None:
    """Print one figure as a line of JSON."""
    print(json.dumps(asdict(figure)), flush=True)


def save_figures(benchmark: str, figures: Sequence[Figure], command: str = "") -> None:
    """Replace the benchmark's section in docs/benchmarks.md; the text people wrote around the sections stays."""
    begin, end = f"<!-- {benchmark}: begin -->", f"<!-- {benchmark}: end -->"
    rows = "\n".join(
        f"| {f.name} | {f.value:g} {f.unit} | {'' if f.ratio is None else f'{f.ratio:.3g}x {f.baseline}'} | {f.bar} |" for f in figures
    )
    stamp = f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, Python {platform.python_version()}"
    command = command or f"make bench BENCH={benchmark}"
    section = f"{begin}\n`{command}` ({stamp})\n\n| figure | value | against | bar |\n|---|---|---|---|\n{rows}\n{end}"
    page = PAGE.read_text() if PAGE.exists() else "# Benchmarks\n"
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    page = pattern.sub(lambda _: section, page) if pattern.search(page) else f"{page.rstrip()}\n\n## {benchmark}\n\n{section}\n"
    PAGE.write_text(page)
