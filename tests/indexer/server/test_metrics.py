"""Metrics in Prometheus' text format, and the dashboard that queries them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from knet_indexer.server.metrics import Metrics

DASHBOARD = Path(__file__).parents[3] / "docs" / "grafana.json"


@pytest.fixture
def scraped() -> dict[str, Metric]:
    metrics = Metrics()
    for outcome in ("ok", "refused", "limited", "busy", "failed"):
        metrics.count(outcome)
    metrics.seconds.observe(0.02)
    return {family.name: family for family in text_string_to_metric_families(metrics.render().decode())}


def test_every_metric_has_a_description(scraped: dict[str, Metric]) -> None:
    for family in scraped.values():
        assert family.documentation
        assert family.type in ("counter", "gauge", "histogram")
        assert family.name.startswith(("knet_node_", "process_"))


def test_metric_labels_are_bounded(scraped: dict[str, Metric]) -> None:
    labels = {name for family in scraped.values() for sample in family.samples for name in sample.labels}
    assert labels == {"outcome", "le"}


def queries(dashboard: Any) -> list[str]:
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    return expressions + [entry["query"] for entry in dashboard["templating"]["list"] if entry["type"] == "query"]


def test_dashboard_queries_existing_metrics(scraped: dict[str, Metric]) -> None:
    samples = {sample.name: set(sample.labels) for family in scraped.values() for sample in family.samples}
    dashboard = json.loads(DASHBOARD.read_text())
    assert len(queries(dashboard)) > 8
    for query in queries(dashboard):
        names = re.findall(r"\b(?:knet|process)_\w+", query)
        assert names
        assert set(names) <= samples.keys(), query
        for labels in re.findall(r"sum by \(([^)]*)\)", query):
            known = {"instance"}.union(*(samples[name] for name in names))  # Prometheus adds the instance
            assert set(labels.split(", ")) <= known, query
        assert query.count("(") == query.count(")")
    outcomes = {s.labels["outcome"] for s in scraped["knet_node_searches"].samples if "outcome" in s.labels}
    for listed in re.findall(r'outcome=~"([^"]*)"', " ".join(queries(dashboard))):
        assert set(listed.split("|")) <= outcomes


def test_dashboard_names_no_data_source() -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    sources = {json.dumps(part["datasource"]) for panel in dashboard["panels"] for part in (panel, *panel["targets"])}
    assert sources == {json.dumps({"type": "prometheus", "uid": "${datasource}"})}
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
