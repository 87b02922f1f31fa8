"""Text in drawings of Word and PowerPoint: charts, diagrams, and content with an alternative for old programs."""

from collections.abc import Mapping
from typing import Any

from adapters.parsing.office.package import Package

POINTS_MAX = 5_000  # of one series of a chart
SERIES_MAX = 100
CHART = "{http://schemas.openxmlformats.org/drawingml/2006/chart}chart"
DIAGRAM = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}relIds"
A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_C = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
_DATA = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}dm"
_MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"


def choose_alternative(alternate: Any) -> Any:
    """The first choice of an AlternateContent that has content, else the fallback, else nothing."""
    for name in ("Choice", "Fallback"):
        for option in alternate.iterchildren(_MC + name):
            if len(option):
                return option
    return ()


def chart_rows(chart: Any) -> list[list[str]]:
    """A chart as a table: its title and the names of its series, then a row per category."""
    if chart is None:
        return []
    heading = chart.find(f".//{_C}chart/{_C}title")
    title = "" if heading is None else "".join(heading.itertext(A + "t"))
    series = list(chart.iter(_C + "ser"))[:SERIES_MAX]
    names = [" ".join(text for text in one.xpath("./*[local-name()='tx']//*[local-name()='v']/text()")) for one in series]
    columns = [_points(one, ("cat", "xVal")) for one in series[:1]] + [_points(one, ("val", "yVal", "bubbleSize")) for one in series]
    rows = sorted({index for column in columns for index in column})
    return [[title, *names], *([column.get(index, "") for column in columns] for index in rows)]


def diagram_texts(package: Package, targets: Mapping[str, str], element: Any) -> list[str]:
    """The texts of a diagram's nodes, in its order."""
    data = package.tree(targets.get(element.get(_DATA, ""), ""))
    paragraphs = () if data is None else data.iter(A + "p")
    return [text for one in paragraphs if (text := "".join(one.itertext(A + "t")).strip())]


def _points(series: Any, names: tuple[str, ...]) -> dict[int, str]:
    """Values by their place in the series."""
    found: dict[int, str] = {}
    for name in names:
        element = series.find(_C + name)
        for point in () if element is None else element.iter(_C + "pt"):
            index = point.get("idx", "")
            if index.isascii() and index.isdigit() and len(found) < POINTS_MAX:
                found.setdefault(int(index), point.findtext(_C + "v", ""))
    return found
