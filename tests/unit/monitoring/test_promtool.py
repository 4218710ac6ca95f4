"""Alert rules and expressions, checked by Prometheus's own program."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.unit.monitoring.test_metrics_table import ALERTS, ROOT, expressions

FOLDER = ROOT / "deploy/prometheus"
PROMTOOL = shutil.which("promtool") or ""
needs_promtool = pytest.mark.skipif(
    not PROMTOOL,
    reason="NO PROMTOOL: no alert is tried; put promtool on the PATH (it is in Debian's package prometheus)",
)


def promtool(*arguments: str) -> str:
    """Return what promtool reports as wrong; empty if nothing is."""
    done = subprocess.run([PROMTOOL, *arguments], cwd=FOLDER, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr if done.returncode else ""


def recorded(folder: Path, found: list[str]) -> str:
    """Write a file of rules with these expressions, and return its path."""
    rules = [{"record": f"expression_{number}", "expr": expression} for number, expression in enumerate(found)]
    file = folder / "rules.yaml"
    # Every JSON document is one of YAML.
    file.write_text(json.dumps({"groups": [{"name": "expressions", "rules": rules}]}))
    return str(file)


@needs_promtool
def test_the_alert_rules_are_valid() -> None:
    assert promtool("check", "rules", "alerts.yaml") == ""


@needs_promtool
def test_alerts_fire_when_they_should_and_not_before() -> None:
    assert promtool("test", "rules", "alerts.test.yaml") == ""


@needs_promtool
def test_prometheus_reads_every_expression_of_the_dashboard_and_of_the_scaling(tmp_path: Path) -> None:
    assert promtool("check", "rules", recorded(tmp_path, [expression for _, expression in expressions()])) == ""


@needs_promtool
@pytest.mark.parametrize(
    "expression", ["sum(rate(hospital_x[5m])", "sum by function (hospital_x)", "rate(hospital_x)"]
)
def test_an_expression_that_prometheus_cannot_read_is_reported(tmp_path: Path, expression: str) -> None:
    assert "parse error" in promtool("check", "rules", recorded(tmp_path, [expression]))


def test_each_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    cases = yaml.safe_load((FOLDER / "alerts.test.yaml").read_text("utf-8"))["tests"]
    expected = [case for test in cases for case in test["alert_rule_test"]]
    names = {rule["alert"] for group in ALERTS for rule in group["rules"]}

    assert {case["alertname"] for case in expected if case["exp_alerts"]} == names
    assert {case["alertname"] for case in expected if not case["exp_alerts"]} == names
