"""deploy/kubernetes: existing setting names, no default secret, no root user, enough time to stop."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from worker.cli import app
from worker.contract import QUEUES
from worker.settings import Settings, load_settings

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy" / "kubernetes"
DRAIN_S = 5.0

Manifest = dict[str, Any]


def _manifests() -> Iterator[Manifest]:
    for file in sorted(FOLDER.glob("*.yaml")):
        yield from yaml.safe_load_all(file.read_text("utf-8"))


MANIFESTS: dict[str, Manifest] = {manifest["kind"]: manifest for manifest in _manifests()}
DEPLOYMENT, SCALED = MANIFESTS["Deployment"], MANIFESTS["ScaledObject"]
POD: Manifest = DEPLOYMENT["spec"]["template"]["spec"]
(WORKER,) = POD["containers"]
PLAIN = {variable["name"]: variable["value"] for variable in WORKER["env"] if "value" in variable}
FROM_SECRET = {
    variable["name"]: variable["valueFrom"]["secretKeyRef"] for variable in WORKER["env"] if "valueFrom" in variable
}
LIVE, READY = ["check", "--live"], ["check", "--ready", "--here"]
# What each probe asks, and what its answer names in a test, where neither a Redis nor a worker runs.
PROBES = {
    "startupProbe": (LIVE, "no worker process"),
    "livenessProbe": (LIVE, "no worker process"),
    "readinessProbe": (READY, "REDIS_URL"),
}


def test_every_variable_is_a_setting_with_an_accepted_value() -> None:
    variables = [variable["name"] for variable in WORKER["env"]]

    assert len(variables) == len(set(variables))
    assert {name.lower() for name in variables} <= set(Settings.model_fields)
    load_settings(**{name.lower(): value for name, value in PLAIN.items()})


def test_every_secret_comes_from_the_secret_and_the_example_contains_none() -> None:
    example = MANIFESTS["Secret"]
    named = list(FROM_SECRET.values())

    assert set(FROM_SECRET) == {"REDIS_URL", "MONGODB_URL", "QUEUE_SIGNING_KEYS"}
    assert {secret["name"] for secret in named} == {example["metadata"]["name"]}
    assert {secret["key"] for secret in named} == set(example["stringData"])
    assert not any(example["stringData"].values())


def test_the_worker_starts_with_the_command_of_the_image() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text("utf-8")
    command = re.search(r"^CMD \[(.*)\]$", dockerfile, re.MULTILINE)

    assert command is not None
    assert WORKER["args"] == re.findall(r'"([^"]+)"', command[1])


@pytest.mark.parametrize("name", PROBES)
def test_the_probe_is_an_existing_command(name: str, tmp_path: Path) -> None:
    program, *arguments = WORKER[name]["exec"]["command"]
    expected, answer = PROBES[name]
    nothing_runs = {"REDIS_URL": "unix:///nowhere", "TMPDIR": str(tmp_path)}
    result = CliRunner().invoke(app, arguments, env=nothing_runs)

    assert f'{program} = "worker.__main__:main"' in (ROOT / "pyproject.toml").read_text("utf-8")
    assert arguments == expected
    # The command itself fails. Typer prints "Usage" for an unknown command or option.
    assert result.exit_code != 0
    assert "Usage" not in result.output
    assert answer in result.output


def test_a_worker_has_more_time_to_stop_than_its_grace_period_and_drain() -> None:
    assert POD["terminationGracePeriodSeconds"] > float(PLAIN["WORKER_GRACE_PERIOD"]) + DRAIN_S


def test_an_outage_restarts_no_worker() -> None:
    # Readiness depends on Redis and MongoDB.
    assert not {"--ready", "--here"} & set(WORKER["livenessProbe"]["exec"]["command"])
    assert not {"--ready", "--here"} & set(WORKER["startupProbe"]["exec"]["command"])
    # Swarm, ECS and others replace a container whose own health check fails.
    health = re.search(r"^HEALTHCHECK .*CMD \[(.*)\]$", (ROOT / "Dockerfile").read_text("utf-8"), re.MULTILINE)
    assert health is not None
    assert re.findall(r'"([^"]+)"', health[1]) == ["hospital-worker", *LIVE]


def test_the_liveness_file_has_a_place() -> None:
    assert {"name": "tmp", "mountPath": "/tmp"} in WORKER["volumeMounts"]  # noqa: S108 (a path in the container)


def test_the_pod_is_hardened() -> None:
    user = POD["securityContext"]

    assert user["runAsNonRoot"] is True
    assert f"USER {user['runAsUser']}:{user['runAsGroup']}\n" in (ROOT / "Dockerfile").read_text("utf-8")
    assert user["seccompProfile"] == {"type": "RuntimeDefault"}
    assert WORKER["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert POD["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(POD)
    assert WORKER["resources"]["limits"]["memory"]


def test_selectors_and_scale_target_match_the_deployment() -> None:
    labels = DEPLOYMENT["spec"]["template"]["metadata"]["labels"]
    selectors = [DEPLOYMENT["spec"]["selector"], MANIFESTS["PodDisruptionBudget"]["spec"]["selector"]]

    assert all(selector["matchLabels"].items() <= labels.items() for selector in selectors)
    assert SCALED["spec"]["scaleTargetRef"]["name"] == DEPLOYMENT["metadata"]["name"]
    # A number of replicas here would reset the scaling with every rollout.
    assert "replicas" not in DEPLOYMENT["spec"]


def test_every_queue_scales_on_what_is_due_and_on_how_old_it_is() -> None:
    triggers = SCALED["spec"]["triggers"]
    scaled_on = {(trigger["type"], trigger["metadata"]["query"]) for trigger in triggers}

    for queue in QUEUES:
        of_queue = f'{{queue="{queue}"}}'
        busy = f"max(hospital_queue_due_jobs{of_queue}) + max(hospital_queue_in_flight_jobs{of_queue})"
        old = f"max(hospital_queue_oldest_due_age_seconds{of_queue})"
        assert {("prometheus", busy), ("prometheus", old)} <= scaled_on
    assert len(triggers) == 2 * len(QUEUES)
    # KEDA accepts only strings as a trigger's metadata, also for numbers.
    assert all(isinstance(value, str) for trigger in triggers for value in trigger["metadata"].values())
    # Without a value the number of workers stays as it is, instead of falling to the least.
    assert {trigger["metadata"]["ignoreNullValues"] for trigger in triggers} == {"false"}
    assert SCALED["spec"]["minReplicaCount"] >= 1


def test_prometheus_finds_the_port_of_the_metrics() -> None:
    annotations = DEPLOYMENT["spec"]["template"]["metadata"]["annotations"]
    (port,) = WORKER["ports"]

    assert annotations == {"prometheus.io/scrape": "true", "prometheus.io/port": PLAIN["WORKER_METRICS_PORT"]}
    assert str(port["containerPort"]) == PLAIN["WORKER_METRICS_PORT"]
