"""docker-compose.yml: no default secret, no port open to the network, no lost job."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from producers.cli import app as producer_app
from producers.gateway.uploads import MOST_UPLOADS
from worker.cli import app

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text("utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ONE_SHOT = {"mongo-keyfile", "mongo-init", "schema"}
GRACE = re.compile(r"(\d+)s")

every_service = pytest.mark.parametrize("name", sorted(SERVICES))
every_long_running_service = pytest.mark.parametrize("name", sorted(set(SERVICES) - ONE_SHOT))


def _published(name: str) -> list[str]:
    return [str(port) for port in SERVICES[name].get("ports", [])]


def _environments() -> list[dict[str, str]]:
    return [service["environment"] for service in SERVICES.values() if "environment" in service]


def test_passwords_have_no_default() -> None:
    used = re.findall(r"\$\{(\w*PASSWORD)(.*?)\}", TEXT)

    assert {name for name, _ in used} == {"REDIS_PASSWORD", "MONGO_ROOT_PASSWORD", "MONGO_APP_PASSWORD"}
    assert all(rest == f":?set {name} in .env" for name, rest in used)


def test_every_secret_comes_from_the_environment() -> None:
    secrets = [
        value
        for environment in _environments()
        for key, value in environment.items()
        if re.search("PASSWORD|AUTH|_KEYS$|_URL$|_USERS$", key)
    ]

    assert secrets
    assert all("${" in value for value in secrets)


def test_the_example_lists_every_variable_and_contains_no_secret() -> None:
    lines = (ROOT / ".env.example").read_text("utf-8").splitlines()
    matches = [re.fullmatch(r"#?([A-Z_]+)=(.*)", line) for line in lines]
    example = {match[1]: match[2] for match in matches if match}

    assert set(example) == set(re.findall(r"(?<!\$)\$\{(\w+)", TEXT))
    assert not any(value for name, value in example.items() if name.endswith(("PASSWORD", "KEYS", "USERS")))


@every_service
def test_service_is_hardened(name: str) -> None:
    service = SERVICES[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "pid", "ipc"} & set(service)
    user, group = service["user"].split(":")
    assert int(user) > 0
    assert int(group) > 0


@every_service
def test_service_publishes_only_on_loopback(name: str) -> None:
    networks = {it: COMPOSE["networks"][it] for it in SERVICES[name].get("networks", [])}

    assert all(port.startswith("127.0.0.1:") for port in _published(name))
    assert SERVICES[name].get("network_mode") in {None, "none"}
    # Docker publishes no port of an internal network. The one for that leads to no other host.
    assert [it for it in networks if not networks[it].get("internal")] == (["page"] if _published(name) else [])
    assert COMPOSE["networks"]["page"]["driver_opts"] == {"com.docker.network.bridge.enable_ip_masquerade": "false"}


@every_long_running_service
def test_service_has_a_health_check_and_restarts(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}
    assert SERVICES[name]["restart"] == "unless-stopped"


def test_a_worker_counts_as_healthy_when_it_is_ready() -> None:
    assert SERVICES["worker"]["healthcheck"]["test"] == ["CMD", "hospital-worker", "check", "--ready", "--here"]


def test_redis_stores_every_job_on_disk() -> None:
    script = SERVICES["redis"]["command"][0]

    assert "--appendonly yes" in script
    assert "--maxmemory-policy noeviction" in script
    assert 'requirepass "%s"' in script
    assert SERVICES["redis"]["volumes"] == ["redis-data:/data"]


def test_mongo_is_a_replica_set_with_a_read_only_key() -> None:
    command = SERVICES["mongo"]["command"]

    assert command[command.index("--replSet") + 1] == "rs0"
    assert command[command.index("--keyFile") + 1] == "/data/configdb/keyfile"
    assert "mongo-keyfile:/data/configdb:ro" in SERVICES["mongo"]["volumes"]
    assert SERVICES["mongo-keyfile"]["user"] == SERVICES["mongo"]["user"]
    assert "umask 277" in SERVICES["mongo-keyfile"]["command"][0]


def test_worker_waits_until_the_servers_are_set_up() -> None:
    assert {name: wait["condition"] for name, wait in SERVICES["worker"]["depends_on"].items()} == {
        "redis": "service_healthy",
        "mongo": "service_healthy",
        "mongo-init": "service_completed_successfully",
        "schema": "service_completed_successfully",
    }


def test_the_schema_service_runs_once_and_does_not_wait_for_workers() -> None:
    schema = SERVICES["schema"]

    assert schema["restart"] == "no"
    assert set(schema["depends_on"]) == {"mongo", "mongo-init"}
    assert schema["environment"]["MONGODB_DATABASE"] == SERVICES["worker"]["environment"]["MONGODB_DATABASE"]


def test_only_the_services_that_set_up_mongodb_get_its_root_password() -> None:
    holders = {name for name, service in SERVICES.items() if "MONGO_ROOT_PASSWORD" in str(service)}

    assert holders == {"mongo", "mongo-init", "schema"}


def test_the_command_of_the_schema_service_exists() -> None:
    program, command = SERVICES["schema"]["command"]

    assert program == "hospital-worker"
    assert CliRunner().invoke(app, [command, "--help"]).exit_code == 0


def test_worker_has_more_time_to_stop_than_its_grace_period() -> None:
    grace = GRACE.fullmatch(SERVICES["worker"]["stop_grace_period"])

    assert grace is not None
    assert int(grace[1]) > float(SERVICES["worker"]["environment"]["WORKER_GRACE_PERIOD"])


def test_the_page_is_started_on_request_with_users_of_the_environment() -> None:
    page = SERVICES["dashboard"]

    assert page["profiles"] == ["dashboard"]
    # Empty by default: then it refuses to start, and every other service starts.
    assert page["environment"]["DASHBOARD_USERS"] == "${DASHBOARD_USERS:-}"
    assert page["environment"].items() >= SERVICES["worker"]["environment"].items()
    assert _published("dashboard") == ["127.0.0.1:${DASHBOARD_PORT:-8700}:8700"]
    assert {name for name, service in SERVICES.items() if "DASHBOARD_USERS" in str(service)} == {"dashboard"}


def test_the_command_of_the_page_exists() -> None:
    program, *arguments = SERVICES["dashboard"]["command"]

    assert program == "hospital-worker"
    # Without it, an address that is not loopback is refused.
    assert "--secure-cookies" in arguments
    assert CliRunner().invoke(app, [*arguments, "--help"]).exit_code == 0


def test_the_gateway_is_started_on_request_with_keys_of_the_environment() -> None:
    gateway = SERVICES["gateway"]

    assert gateway["profiles"] == ["gateway"]
    # Empty by default: then it refuses to start, and every other service starts.
    assert gateway["environment"]["GATEWAY_KEYS"] == "${GATEWAY_KEYS:-}"
    assert gateway["environment"].items() >= SERVICES["worker"]["environment"].items()
    assert _published("gateway") == ["127.0.0.1:${GATEWAY_PORT:-8800}:8800"]
    assert {name for name, service in SERVICES.items() if "GATEWAY_KEYS" in str(service)} == {"gateway"}
    stops = GRACE.fullmatch(gateway["stop_grace_period"])
    assert stops is not None
    # Requests, then imports.
    assert int(stops[1]) > 5 + 5


def test_what_enqueues_and_what_works_has_the_same_queues_bounds_and_rates() -> None:
    shared = {name: f"${{{name}:-}}" for name in ("WORKER_QUEUES", "QUEUE_BOUNDS", "QUEUE_RATES", "SOURCE_QUEUES")}

    for name in ("worker", "dashboard", "gateway"):
        assert SERVICES[name]["environment"].items() >= shared.items()


def test_the_uploads_of_the_gateway_have_room() -> None:
    (tmpfs,) = SERVICES["gateway"]["tmpfs"]
    size = re.fullmatch(r"/tmp:size=(\d+)m", tmpfs)  # noqa: S108 (a path in the container)

    assert size is not None
    assert int(SERVICES["gateway"]["environment"]["GATEWAY_UPLOAD_BYTES"]) * MOST_UPLOADS < int(size[1]) * 1024**2


def test_the_command_of_the_gateway_exists() -> None:
    program, *arguments = SERVICES["gateway"]["command"]

    assert program == "hospital-producer"
    # Without it, an address that is not loopback is refused.
    assert "--behind-proxy" in arguments
    assert CliRunner().invoke(producer_app, [*arguments, "--help"]).exit_code == 0


def test_the_image_has_the_packages_of_workers_of_lists_of_the_page_and_of_the_gateway() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    needed = {_package(it) for name in ("worker", "files", "dashboard", "gateway") for it in extras[name]}
    locked = (ROOT / "requirements-runtime.lock").read_text("utf-8").splitlines()

    assert needed - {_package(line) for line in locked if "==" in line} == {"hospital-registry-worker"}


def _package(requirement: str) -> str:
    """Return the name in a requirement, as lock files write it."""
    found = re.match(r"[\w.-]+", requirement)
    return re.sub(r"[-_.]+", "-", found[0]).lower() if found else ""
