"""deploy/kubernetes: existing setting names, no default secret, no root user, enough time to stop."""

import re
from collections.abc import Iterator
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from producers.cli import app as producer_app
from producers.commands.gateway import gateway
from producers.gateway.uploads import MOST_UPLOADS
from worker.cli import app
from worker.commands.dashboard import dashboard
from worker.contract import QUEUES
from worker.settings import Settings, load_settings

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy" / "kubernetes"
DRAIN_S = 5.0

Manifest = dict[str, Any]


def _manifests() -> Iterator[Manifest]:
    for file in sorted(FOLDER.glob("*.yaml")):
        yield from yaml.safe_load_all(file.read_text("utf-8"))


MANIFESTS: dict[tuple[str, str], Manifest] = {(it["kind"], it["metadata"]["name"]): it for it in _manifests()}
DEPLOYMENT, PAGE, GATEWAY = (
    MANIFESTS["Deployment", f"hospital-{name}"] for name in ("worker", "dashboard", "gateway")
)
SCALED = MANIFESTS["ScaledObject", "hospital-worker"]


def _pod(deployment: Manifest) -> Manifest:
    pod: Manifest = deployment["spec"]["template"]["spec"]
    return pod


def _container(deployment: Manifest) -> Manifest:
    (container,) = _pod(deployment)["containers"]
    return dict(container)


def _plain(deployment: Manifest) -> dict[str, str]:
    """Return the variables whose values are in the manifest."""
    return {it["name"]: it["value"] for it in _container(deployment)["env"] if "value" in it}


def _from_secret(deployment: Manifest) -> dict[str, dict[str, str]]:
    """Return the names and keys of secrets, by variable."""
    with_key = [it for it in _container(deployment)["env"] if "valueFrom" in it]
    return {it["name"]: it["valueFrom"]["secretKeyRef"] for it in with_key}


WORKER, PLAIN = _container(DEPLOYMENT), _plain(DEPLOYMENT)
DEPLOYMENTS = {"worker": DEPLOYMENT, "page": PAGE, "gateway": GATEWAY}
every_deployment = pytest.mark.parametrize("deployment", DEPLOYMENTS.values(), ids=DEPLOYMENTS)
# Read by the web server of the page, uvicorn.
OF_THE_SERVER = {"FORWARDED_ALLOW_IPS"}
LIVE, READY = ["check", "--live"], ["check", "--ready", "--here"]
# What each probe asks, and what its answer names in a test, where neither a Redis nor a worker runs.
PROBES = {
    "startupProbe": (LIVE, "no worker process"),
    "livenessProbe": (LIVE, "no worker process"),
    "readinessProbe": (READY, "REDIS_URL"),
}


@every_deployment
def test_every_variable_is_a_setting_with_an_accepted_value(deployment: Manifest) -> None:
    variables = [variable["name"] for variable in _container(deployment)["env"]]
    plain = {name: value for name, value in _plain(deployment).items() if name not in OF_THE_SERVER}

    assert len(variables) == len(set(variables))
    assert {name.lower() for name in {*variables} - OF_THE_SERVER} <= set(Settings.model_fields)
    load_settings(**{name.lower(): value for name, value in plain.items()})


def test_every_secret_comes_from_the_secret_and_the_example_contains_none() -> None:
    example = MANIFESTS["Secret", "hospital-registry"]
    named = [it for deployment in DEPLOYMENTS.values() for it in _from_secret(deployment).values()]
    shared = {"REDIS_URL", "MONGODB_URL", "QUEUE_SIGNING_KEYS"}

    assert _from_secret(DEPLOYMENT).keys() == shared
    assert _from_secret(PAGE).keys() == {*shared, "DASHBOARD_USERS"}
    assert _from_secret(GATEWAY).keys() == {*shared, "GATEWAY_KEYS"}
    # Their users in Redis and MongoDB have different rights.
    assert _from_secret(PAGE)["REDIS_URL"]["key"] == "dashboard-redis-url"
    assert _from_secret(GATEWAY)["REDIS_URL"]["key"] == "gateway-redis-url"
    assert _from_secret(GATEWAY)["MONGODB_URL"]["key"] == "gateway-mongodb-url"
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
    assert _pod(DEPLOYMENT)["terminationGracePeriodSeconds"] > float(PLAIN["WORKER_GRACE_PERIOD"]) + DRAIN_S


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


@every_deployment
def test_the_pod_is_hardened(deployment: Manifest) -> None:
    pod, container = _pod(deployment), _container(deployment)
    user = pod["securityContext"]

    assert user["runAsNonRoot"] is True
    assert f"USER {user['runAsUser']}:{user['runAsGroup']}\n" in (ROOT / "Dockerfile").read_text("utf-8")
    assert user["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
    assert container["resources"]["limits"]["memory"]


def test_selectors_and_scale_target_match_the_deployment() -> None:
    labels = DEPLOYMENT["spec"]["template"]["metadata"]["labels"]
    selectors = [
        DEPLOYMENT["spec"]["selector"],
        MANIFESTS["PodDisruptionBudget", "hospital-worker"]["spec"]["selector"],
    ]

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


def test_the_page_is_one_process_that_an_ingress_reaches_by_its_service() -> None:
    labels = PAGE["spec"]["template"]["metadata"]["labels"]
    service = MANIFESTS["Service", "hospital-dashboard"]["spec"]
    (port,) = _container(PAGE)["ports"]

    assert (PAGE["spec"]["replicas"], PAGE["spec"]["strategy"]) == (1, {"type": "Recreate"})
    for selector in (PAGE["spec"]["selector"]["matchLabels"], service["selector"]):
        assert selector.items() <= labels.items()
    assert [it["targetPort"] for it in service["ports"]] == [port["name"]]
    assert port["containerPort"] == signature(dashboard).parameters["port"].default
    # Beside the one of a worker.
    assert not DEPLOYMENT["spec"]["selector"]["matchLabels"].items() <= labels.items()


def test_the_command_of_the_page_exists() -> None:
    program, *arguments = _container(PAGE)["args"]

    assert program == "hospital-worker"
    # Without it, an address that is not loopback is refused.
    assert "--secure-cookies" in arguments
    assert CliRunner().invoke(app, [*arguments, "--help"]).exit_code == 0


def test_an_ingress_reaches_the_gateways_by_their_service_and_one_stops_at_a_time() -> None:
    labels = GATEWAY["spec"]["template"]["metadata"]["labels"]
    service = MANIFESTS["Service", "hospital-gateway"]["spec"]
    budget = MANIFESTS["PodDisruptionBudget", "hospital-gateway"]["spec"]
    (port,) = _container(GATEWAY)["ports"]

    for selector in (
        GATEWAY["spec"]["selector"]["matchLabels"],
        service["selector"],
        budget["selector"]["matchLabels"],
    ):
        assert selector.items() <= labels.items()
    assert [it["targetPort"] for it in service["ports"]] == [port["name"]]
    assert port["containerPort"] == signature(gateway).parameters["port"].default
    assert (GATEWAY["spec"]["replicas"], budget["maxUnavailable"]) == (2, 1)
    # Requests, then imports.
    assert _pod(GATEWAY)["terminationGracePeriodSeconds"] > 5 + 5


def test_the_command_of_the_gateway_exists() -> None:
    program, *arguments = _container(GATEWAY)["args"]

    assert program == "hospital-producer"
    # Without it, an address that is not loopback is refused.
    assert "--behind-proxy" in arguments
    assert CliRunner().invoke(producer_app, [*arguments, "--help"]).exit_code == 0


def test_the_uploads_of_the_gateway_have_room() -> None:
    (volume,) = _pod(GATEWAY)["volumes"]
    size = re.fullmatch(r"(\d+)Gi", volume["emptyDir"]["sizeLimit"])

    assert {"name": volume["name"], "mountPath": "/tmp"} in _container(GATEWAY)["volumeMounts"]  # noqa: S108 (as above)
    # On the disk of the node, and not in memory, which its limit counts.
    assert "medium" not in volume["emptyDir"]
    assert size is not None
    assert int(_plain(GATEWAY)["GATEWAY_UPLOAD_BYTES"]) * MOST_UPLOADS < int(size[1]) * 1024**3


def _fields(value: Any, kind: str) -> Iterator[str]:
    """Yield the path of every field in a manifest."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield f"{kind}.{name}"
            yield from _fields(inner, f"{kind}.{name}")
    elif isinstance(value, list):
        for inner in value:
            yield from _fields(inner, kind)


def test_the_gateway_has_no_field_that_the_checked_manifests_do_not_have() -> None:
    # The others were checked under the schemas of Kubernetes: docs/operations.md.
    own = {key for key in MANIFESTS if key[1] == "hospital-gateway"}
    others = {field for key in MANIFESTS.keys() - own for field in _fields(MANIFESTS[key], key[0])}

    assert {kind for kind, _ in own} == {"Deployment", "PodDisruptionBudget", "Service"}
    assert {field for key in own for field in _fields(MANIFESTS[key], key[0])} <= others
