"""The wheel without extras, in an environment of its own, with the oldest and the newest redis-py and pydantic."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.ending_worker import EndingWorker
from tests.support.waiting import until
from worker.codec import Codec
from worker.contract import DEFAULT_QUEUE
from worker.embedded import EmbeddedRedis
from worker.engine.arq_redis import open_arq_redis
from worker.queue import keys
from worker.settings import load_settings

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(__file__).with_name("light_client_program.py")
OLDEST = ["redis==5.0.1"]
if sys.version_info < (3, 14):
    # Has no wheels for later ones.
    OLDEST.append("pydantic==2.11.5")
# What a producer must not need; each is of an extra.
HEAVY = {"arq", "motor", "pymongo", "structlog", "uvloop", "typer", "rich", "prometheus-client", "python-calamine"}


def run(*command: object, folder: Path = ROOT) -> str:
    """Run a command without the settings of this environment; return its output."""
    outside = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    words = list(map(str, command))
    done = subprocess.run(words, cwd=folder, env=outside, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT)
    (built,) = folder.glob("*.whl")
    return built


def environment(folder: Path) -> tuple[object, ...]:
    """Make an environment without any package; return the command that installs some there."""
    # To unpack a pip of its own would take longer than all that is installed with it.
    run(sys.executable, "-m", "venv", "--without-pip", folder)
    return sys.executable, "-m", "pip", "--python", folder, "-qq", "--disable-pip-version-check", "install"


@pytest_asyncio.fixture
async def server() -> AsyncIterator[EmbeddedRedis]:
    async with EmbeddedRedis() as started:
        yield started


@pytest.mark.parametrize("versions", [OLDEST, ["redis"]], ids=["oldest", "newest"])
async def test_a_service_enqueues_with_the_client_alone(
    server: EmbeddedRedis, wheel: Path, tmp_path: Path, versions: list[str]
) -> None:
    python = tmp_path / "bin" / "python"
    pip = await asyncio.to_thread(environment, tmp_path)
    await asyncio.to_thread(run, *pip, "--only-binary", ":all:", wheel, *versions)
    names = "from importlib.metadata import distributions as all; print(*[it.name.lower() for it in all()])"
    installed = set(run(python, "-c", names, folder=tmp_path).split())
    assert "redis" in installed
    assert installed & HEAVY == set()

    service = await asyncio.create_subprocess_exec(
        python,
        *("-W", "error", PROGRAM),
        cwd=tmp_path,
        env={"REDIS_URL": server.url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    redis = open_arq_redis(load_settings(redis_url=server.url), Codec())
    await until(lambda: redis.exists(keys.WAITER + "ingest_hospital:light"), 60)
    # One claim: the service enqueues another job when this one has ended, which is to wait.
    worker = EndingWorker(redis)
    await worker.end(*await worker.claim())
    out, err = await service.communicate()

    assert (service.returncode, out.decode(), err.decode()) == (0, "created\ndone\nqueued\nnew queued\n", "")
    assert await redis.zcard(DEFAULT_QUEUE) == 1
    await redis.aclose(close_connection_pool=True)


def test_a_program_whose_extra_is_not_installed_says_so(wheel: Path, tmp_path: Path) -> None:
    """From the wheel itself: its entry points, in an environment without any package."""
    run(*environment(tmp_path), "--no-deps", wheel)
    for program, extra in (("hospital-worker", "worker"), ("hospital-producer", "files")):
        done = subprocess.run(
            [tmp_path / "bin" / program, "--help"], env={}, capture_output=True, text=True, check=False
        )
        install = f"pip install 'hospital-registry-worker[{extra}]'"
        says = f"{program}: needs the package typer, which is not installed: {install}\n"
        assert (done.returncode, done.stdout, done.stderr) == (2, "", says)
