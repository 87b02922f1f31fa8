"""The dashboard shows metrics that exist, with labels that they have."""

import json
import re
from pathlib import Path
from typing import Any

import yaml

from tests.support.exposed_metrics import OF_THE_SCRAPE, metrics

ROOT = Path(__file__).parents[2]
DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy" / "grafana" / "dashboards" / "claw.json").read_text(encoding="utf-8"))
EXPRESSIONS = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", [])]


def test_every_metric_shown_exists() -> None:
    """A renamed metric would leave an empty panel that looks like a quiet system."""
    shown = {name for expression in EXPRESSIONS for name in re.findall(r"\bclaw_[a-z_]+\b", expression)}
    assert shown
    assert shown - metrics().keys() == set()


def test_every_label_grouped_by_exists() -> None:
    known = metrics()
    for expression in EXPRESSIONS:
        names = re.findall(r"\bclaw_[a-z_]+\b", expression)
        grouped = {label.strip() for group in re.findall(r"by \(([^)]*)\)", expression) for label in group.split(",")}
        labels = OF_THE_SCRAPE.union(*(known[name] for name in names))
        assert not names or grouped <= labels, expression


def test_panels_have_distinct_ids_and_the_provisioned_source() -> None:
    source = yaml.safe_load((ROOT / "deploy/grafana/provisioning/datasources/prometheus.yml").read_text())["datasources"][0]
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    assert {target["datasource"]["uid"] for panel in DASHBOARD["panels"] for target in panel.get("targets", [])} == {source["uid"]}
    assert source["url"] == "http://prometheus:9090"


def test_the_provider_reads_where_compose_mounts() -> None:
    provider = yaml.safe_load((ROOT / "deploy/grafana/provisioning/dashboards/claw.yml").read_text())["providers"][0]
    volumes = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["grafana"]["volumes"]
    assert f"./deploy/grafana/dashboards:{provider['options']['path']}:ro" in volumes
