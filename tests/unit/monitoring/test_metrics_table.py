"""The table of metrics, the page that repeats it, and the dashboard and alert rules that use it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from worker.monitoring.metrics_table import BY_NAME, METRICS, metrics_table

ROOT = Path(__file__).parents[3]
DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy/grafana/dashboard.json").read_text("utf-8"))
ALERTS: list[dict[str, Any]] = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yaml").read_text("utf-8"))["groups"]
# The only words that our expressions use beside metrics and labels.
FUNCTIONS = {"sum", "max", "rate", "increase", "histogram_quantile", "vector", "by", "or", "offset"}
NAME = r"[a-z_]+"
LABEL = re.compile(rf"({NAME})\s*=~?\s*\"[^\"]*\"")


def expressions() -> Iterator[tuple[str, str]]:
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for rule in (rule for group in ALERTS for rule in group["rules"]):
        yield rule["alert"], rule["expr"]
    scaling = yaml.safe_load((ROOT / "deploy/kubernetes/scaling.yaml").read_text("utf-8"))
    for trigger in scaling["spec"]["triggers"]:
        yield "scaling", trigger["metadata"]["query"]


def problems(expression: str) -> list[str]:
    """Return what is wrong with the metrics and labels of an expression of PromQL, as far as ours use it."""
    found: list[str] = []
    labels: set[str] = {"le"}
    for name, selector in re.findall(rf"\b(hospital_{NAME})(?:\{{([^}}]*)\}})?", expression):
        base = re.sub("_(bucket|sum|count)$", "", name)
        metric = BY_NAME.get(base if base in BY_NAME and BY_NAME[base].kind == "histogram" else name)
        if metric is None or (metric.kind == "histogram") != (base != name):
            found.append(f"no metric {name}")
            continue
        labels |= set(metric.labels)
        used = LABEL.findall(selector)
        found += [f"{name} has no label {label}" for label in used if label not in metric.labels]
        is_counter = metric.kind != "gauge"
        if is_counter != bool(re.search(rf"(rate|increase)\({name}(\{{[^}}]*\}})?\[\d+m\]", expression)):
            found.append(f"{name}: a counter needs a rate, and a gauge has none")
    for grouped in re.findall(r"\bby \(([^)]*)\)", expression):
        found += [f"grouped by {label}" for label in re.split(r",\s*", grouped) if label not in labels]
    rest = re.sub(r"\{[^}]*\}|\[[^]]*\]|\bby \([^)]*\)|\b\d+m\b", " ", expression)
    words = set(re.findall(rf"\b{NAME}\b", rest))
    found += [f"unknown word {word}" for word in words - FUNCTIONS if not word.startswith("hospital_")]
    return found if rest.count("(") == rest.count(")") else [*found, "parentheses"]


@pytest.mark.parametrize(("title", "expression"), list(expressions()))
def test_every_expression_uses_metrics_and_labels_that_exist(title: str, expression: str) -> None:
    assert "hospital_" in expression
    assert problems(expression) == [], title


@pytest.mark.parametrize(
    "expression",
    [
        "sum(hospital_nothing)",
        'max(hospital_dead_letters{queue="x"})',
        "sum by (queue) (hospital_dead_letters)",
        "sum(hospital_job_tries_total)",
        "rate(hospital_dead_letters[5m])",
        "sum(rate(hospital_job_run_seconds[5m]))",
        "rate(hospital_dead_letters_bucket[5m])",
        "maximum(hospital_dead_letters)",
        "max(hospital_dead_letters",
    ],
)
def test_the_check_finds_what_is_wrong(expression: str) -> None:
    assert problems(expression)


def test_the_page_repeats_the_table() -> None:
    page = (ROOT / "docs/metrics.md").read_text("utf-8")
    assert metrics_table() in page, "replace the table in docs/metrics.md by metrics_table()"


def test_labels_are_bounded_and_names_have_base_units() -> None:
    assert {label for metric in METRICS for label in metric.labels} == {"queue", "function", "outcome", "error"}
    assert len(BY_NAME) == len(METRICS)
    for metric in METRICS:
        assert metric.name.startswith("hospital_")
        assert metric.name.endswith("_total") == (metric.kind == "counter")
        assert not re.search(r"_(ms|minutes|kilobytes|milliseconds)(_|$)", metric.name)
        assert metric.kind != "histogram" or metric.name.endswith("_seconds")


def test_every_panel_and_every_rule_says_what_it_is() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels) > 10
    for rule in (rule for group in ALERTS for rule in group["rules"]):
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert set(rule["annotations"]) == {"summary", "action"}


def test_every_metric_is_on_the_dashboard_or_in_a_rule_or_said_not_to_be() -> None:
    names = {name for _, expression in expressions() for name in re.findall(rf"hospital_{NAME}", expression)}
    used = names | {name.removesuffix("_bucket") for name in names}
    # What these say is only needed for a question that the others raise.
    aside = {"hospital_workers", "hospital_mongodb_pool", "hospital_redis_pool", "hospital_queue_jobs"}
    aside |= {"hospital_claims_total", "hospital_completions_total"}
    assert {metric.name for metric in METRICS if metric.name not in used} == aside
