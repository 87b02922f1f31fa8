"""The alerts: expressions that Prometheus can parse, over metrics and labels that exist, each with an entry in the runbook."""

import re
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from tests.support.exposed_metrics import OF_THE_SCRAPE, metrics

ROOT = Path(__file__).parents[2]
GROUPS: list[dict[str, Any]] = yaml.safe_load((ROOT / "deploy" / "alerts.yml").read_text(encoding="utf-8"))["groups"]
RULES = [(group["name"], rule) for group in GROUPS for rule in group["rules"]]
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
SCRAPED = {"up": {"job", "instance", "lane"}}  # by Prometheus itself


def selectors(node: Any) -> list[Any]:
    """Every selector of a metric in a parsed expression."""
    if isinstance(node, promql_parser.VectorSelector):
        return [node]
    parts = [getattr(node, name) for name in ("expr", "lhs", "rhs", "vector_selector", "param") if getattr(node, name, None) is not None]
    parts += list(getattr(node, "args", None) or [])
    return [found for part in parts for found in selectors(part)]


@pytest.mark.parametrize(("group", "rule"), RULES, ids=[rule["alert"] for _, rule in RULES])
def test_its_metrics_and_labels_exist(group: str, rule: dict[str, Any]):
    known = metrics() | SCRAPED
    found = selectors(promql_parser.parse(rule["expr"]))
    assert found
    for selector in found:
        assert selector.name in known, f"no metric {selector.name}"
        labels = {matcher.name for matcher in selector.matchers.matchers}
        assert labels <= known[selector.name] | OF_THE_SCRAPE, f"{selector.name} has no labels {labels}"
    grouped = {label.strip() for each in re.findall(r"by \(([^)]*)\)", rule["expr"]) for label in each.split(",")}
    shown = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
    assert grouped <= OF_THE_SCRAPE.union(*(known[selector.name] for selector in found))
    assert shown <= grouped, "a label that is not grouped by is not there"


@pytest.mark.parametrize(("group", "rule"), RULES, ids=[rule["alert"] for _, rule in RULES])
def test_somebody_knows_what_to_do(group: str, rule: dict[str, Any]):
    """The entry of the runbook is under its name and says the same urgency."""
    severity, name = rule["labels"]["severity"], rule["alert"]
    assert group == f"claw-{severity.lower()}"
    assert rule["annotations"]["runbook"] == f"docs/runbook.md#{name.lower()}"
    assert f"## {name}\n\n**{severity}.** " in RUNBOOK


def test_every_entry_of_the_runbook_has_an_alert():
    assert re.findall(r"^## (\w+)$", RUNBOOK, re.MULTILINE) == [rule["alert"] for _, rule in RULES]


def test_prometheus_reads_them_where_compose_mounts_them():
    assert yaml.safe_load((ROOT / "deploy" / "prometheus.yml").read_text())["rule_files"] == ["/etc/prometheus/alerts.yml"]
    mounted = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["prometheus"]["volumes"]
    assert "./deploy/alerts.yml:/etc/prometheus/alerts.yml:ro" in mounted
