"""A program for Node.js, which follows docs/protocol.md, against a worker that requires signatures."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import Finished, Site
from worker.codec import Codec
from worker.contract import WITHDRAW_HOSPITAL, WithdrawHospital, new_job_id
from worker.mongo.client import MongoHandle
from worker.queue import keys
from worker.queue.digests import call_digest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = Path(__file__).with_name("node")
NODE = shutil.which("node")
SIGNING = {"QUEUE_SIGNING_KEYS": "k1:0123456789abcdef-node,k0:an-older-secret-of-node"}
RECORD = {"hospital_name": "Sunrise Clinic", "source": "hr", "external_id": "42", "beds": 120}

pytestmark = pytest.mark.skipif(
    NODE is None or shutil.which("npm") is None,
    reason="node and npm are not on PATH: on Debian, apt-get install nodejs npm",
)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program with the packages of its lock file, and the script that docs/protocol.md says to save."""
    folder = tmp_path_factory.mktemp("node") / "program"
    shutil.copytree(SOURCE, folder, ignore=shutil.ignore_patterns("node_modules"))
    page = (ROOT / "docs" / "protocol.md").read_text("utf-8")
    (script,) = re.findall(r"^```lua\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    (folder / "enqueue.lua").write_text(script)
    install = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    done = subprocess.run(install, cwd=folder, capture_output=True, text=True, check=False, timeout=100)
    if done.returncode and not os.environ.get("CI"):
        pytest.skip(reason=f"npm ci failed, perhaps without a network: {done.stderr[-300:]}")
    assert done.returncode == 0, done.stderr
    return folder


def node(site: Site, program: Path, script: str, *arguments: str) -> Finished:
    done = subprocess.run(
        [NODE or "node", program / script, *arguments],
        env={"REDIS_URL": site.environment["REDIS_URL"], **SIGNING},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return Finished(done.returncode, done.stdout, done.stderr)


async def test_a_signed_job_runs_once_and_its_outcome_is_read(
    site: Site, registry: MongoHandle, program: Path
) -> None:
    await site.worker(**SIGNING)
    call = ("ingest_hospital", "hr-42", json.dumps({"record": RECORD}))

    first = node(site, program, "registry.mjs", *call)
    assert (first.code, first.err) == (0, "")
    told = json.loads(first.out)
    assert (told["state"], told["outcome"]["hospital_id"], told["outcome"]["status"]) == ("new", "hr:42", "created")
    again = json.loads(node(site, program, "registry.mjs", *call).out)
    assert (again["state"], again["outcome"]) == ("done", told["outcome"])
    stored = await registry.hospitals.find_one({"_id": "hr:42"})
    assert stored is not None
    assert (stored["beds"], stored["revision"]) == (120, 1)


async def test_a_job_that_was_changed_after_signing_is_refused(
    site: Site, registry: MongoHandle, program: Path
) -> None:
    await site.worker(**SIGNING)

    refused = node(site, program, "tampered.mjs")
    assert (refused.code, refused.out) == (1, "")
    assert refused.err == "UntrustedEnvelope: the signature does not match the content\n"
    assert await registry.hospitals.count_documents({}) == 0
    assert [letter.job_id async for letter in site.dead_letters.all()] == ["ingest_hospital:tampered"]


async def test_a_result_that_no_worker_signed_is_refused(site: Site, program: Path) -> None:
    message = {"f": "ingest_hospital", "a": [], "et": 1, "s": True, "r": {}, "st": 1, "ft": 2, "q": "arq:queue"}
    job_id = "ingest_hospital:forged"
    call = ("ingest_hospital", "forged", json.dumps({"record": RECORD}))
    for codec in (Codec(), Codec({"k1": "another-secret-of-16"})):
        await site.redis.set(keys.RESULT + job_id, codec.encode({**message, "id": job_id}))
        refused = node(site, program, "registry.mjs", *call)
        assert (refused.code, refused.out) == (1, "")
        assert refused.err == "the result is not signed with one of QUEUE_SIGNING_KEYS\n"

    trusted = Codec({"k0": "an-older-secret-of-node"})
    await site.redis.set(keys.RESULT + job_id, trusted.encode({**message, "id": "ingest_hospital:other"}))
    assert node(site, program, "registry.mjs", *call).err == "the result is of another job\n"


async def test_its_digest_is_that_of_the_python_client(site: Site, program: Path) -> None:
    payload: dict[str, Any] = {"reason": "clôture", "hospital_id": "hr:42", "actor": "j.horvat"}
    job_id = new_job_id(WITHDRAW_HOSPITAL, "closed")
    script = (
        "import { enqueue } from './registry.mjs';\n"
        "const redis = { eval: (...given) => console.log(given[7]) };\n"
        f"await enqueue(redis, 'withdraw_hospital', 'closed', {json.dumps(payload)});\n"
    )
    (program / "digest.mjs").write_text(script)
    message = Codec({"k1": "0123456789abcdef-node"}).decode(node(site, program, "digest.mjs").out.strip().encode())
    assert (message["id"], message["d"]) == (job_id, call_digest("withdraw_hospital", WithdrawHospital(**payload)))


async def test_a_job_that_fails_between_two_questions_tells_its_error(site: Site, program: Path) -> None:
    result = {"id": "a:1", "s": False, "r": {"__exception__": {"type": "InvalidPayload", "message": "no name"}}}
    stored = Codec({"k1": "0123456789abcdef-node"}).encode(result).decode()
    script = (
        "import { outcome } from './registry.mjs';\n"
        "let asked = 0;\n"
        f"const redis = {{ get: () => asked++ ? {json.dumps(stored)} : null, hexists: () => asked++ ? 1 : 0 }};\n"
        "await outcome(redis, 'a:1', 1).catch((error) => console.log(error.message));\n"
    )
    (program / "between.mjs").write_text(script)
    assert node(site, program, "between.mjs").out == "InvalidPayload: no name\n"


def test_the_guide_shows_this_program() -> None:
    guide = (ROOT / "docs" / "guides" / "node.md").read_text("utf-8")
    (shown,) = re.findall(r"^```js\n(.*?)^```", guide, re.DOTALL | re.MULTILINE)
    assert shown == (SOURCE / "registry.mjs").read_text("utf-8")
