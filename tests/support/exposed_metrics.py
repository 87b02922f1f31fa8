"""The series that the code exposes to Prometheus, read from its source."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SUFFIXES = {"Counter": ("_total",), "Gauge": ("",), "Histogram": ("_bucket", "_sum", "_count")}
OF_THE_SCRAPE = {"job", "lane", "instance", "le", "class"}


@cache
def metrics() -> dict[str, set[str]]:
    """Every series the code exposes with its labels, read from the constructors of prometheus_client."""
    found: dict[str, set[str]] = {}
    for package in ("adapters", "streams", "domain", "agents", "api", "ops"):
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not (
                    isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in SUFFIXES and len(node.args) >= 2
                ):
                    continue
                name, labels = node.args[0], node.args[2] if len(node.args) > 2 else ast.Tuple(elts=[])
                if isinstance(name, ast.Constant) and isinstance(name.value, str) and name.value.startswith("claw_"):
                    for suffix in SUFFIXES[node.func.id]:
                        found[f"{name.value.removesuffix('_total')}{suffix}"] = set(ast.literal_eval(labels))
    return found
