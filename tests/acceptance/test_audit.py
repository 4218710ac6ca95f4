"""`hospital-worker audit`, as an operator or a script runs it."""

import asyncio
import csv
import hashlib
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.acceptance.conftest import Site
from worker.closed_pipe import EXIT_CLOSED_PIPE
from worker.contract import AmendHospital, HospitalRecord, RegisterHospital
from worker.mongo.audit.log import entry_hash
from worker.mongo.client import MongoHandle
from worker.mongo.documents import now
from worker.mongo.registrations import Registrations

BY = {"actor": "dr-ito", "reason": "licence 4711 seen"}
# At its end the program prints its peak memory in KiB. (`getrusage` would include its parent's.)
MEASURED = """
import re, sys
from pathlib import Path
from worker.cli import main
sys.argv = ["hospital-worker", "audit", "verify", "--all"]
try:
    main()
finally:
    print(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""


@pytest_asyncio.fixture
async def history(registry: MongoHandle) -> None:
    """A hospital that was registered, amended, and registered again, which was rejected."""
    registrations = Registrations(registry)
    record = HospitalRecord(hospital_name="Sunrise Clinic", beds=120, attributes={"rating": 4})
    deadline = asyncio.get_running_loop().time() + 30
    order = RegisterHospital(record=record, **BY)
    await registrations.register(order, "first", deadline=deadline)
    amendment: dict[str, Any] = {"hospital_id": "name:sunrise clinic", "changes": {"beds": 150}, **BY}
    await registrations.amend(AmendHospital.model_validate(amendment), "amend", deadline=deadline)
    await registrations.register(order, "again", deadline=deadline)


async def test_the_history_is_shown_and_verified(site: Site, history: None, registry: MongoHandle) -> None:
    shown = await site.run("worker", "audit", "show", " SUNRISE  Clinic")
    assert (shown.code, shown.err) == (0, "")
    assert "\x1b" not in shown.out
    lines = shown.out.splitlines()
    heads = [line for line in lines if not line.startswith("   ")]
    assert [re.sub(r"\d{4}-.*?Z", "AT", line) for line in heads] == [
        "1  AT  registered  by dr-ito: licence 4711 seen",
        "2  AT  amended  by dr-ito: licence 4711 seen",
        "3  AT  registration_rejected  by dr-ito: licence 4711 seen",
    ]
    assert "   + attributes.rating  4" in lines
    assert "   ~ beds        120 → 150" in lines
    assert lines[-1] == '   changed nothing: the hospital was "registered" at revision 2'

    exported = await site.command("audit", "show", "name:sunrise clinic", "--json")
    for line in exported.out.splitlines():
        digest = json.loads(line)["hash"]
        assert hashlib.sha256(line.replace(f'"hash":"{digest}",', "", 1).encode()).hexdigest() == digest

    exported_heads = site.folder / "heads.ndjson"
    exported_heads.write_text((await site.command("audit", "heads")).out)
    intact = await site.command("audit", "verify", "--all", "--heads", str(exported_heads))
    assert (intact.code, intact.out, intact.err) == (0, "entries: 3, chains: 1, no findings\n", "")

    await registry.logs.delete_one({"_id": "audit:again"})
    assert (await site.command("audit", "verify", "sunrise clinic")).code == 0
    cut = await site.run("worker", "audit", "verify", "sunrise clinic", "--heads", str(exported_heads), "--json")
    finding, summary = map(json.loads, cut.out.splitlines())
    assert (cut.code, finding["problem"], finding["seq"]) == (1, "head_missing", 3)
    assert summary == {"entries": 2, "chains": 1, "findings": 1}


async def test_entries_are_listed_and_exported_by_time_and_actor(
    site: Site, history: None, registry: MongoHandle
) -> None:
    listed = await site.run("worker", "audit", "list", "--limit", "2")
    lines = listed.out.splitlines()
    assert [line.split()[1:] for line in lines[:3]] == [
        ["event", "hospital", "actor"],
        ["registration_rejected", "name:sunrise", "clinic", "dr-ito"],
        ["amended", "name:sunrise", "clinic", "dr-ito"],
    ]
    assert lines[3].startswith("more than 2 match")
    assert max(map(len, lines)) <= 80
    found = json.loads((await site.command("audit", "list", "--json")).out)
    assert ([entry["seq"] for entry in found["entries"]], found["more"]) == ([3, 2, 1], False)
    assert (await site.command("audit", "list", "--actor", "dr-no")).out == "no entries\n"

    shown = (await site.command("audit", "show", "sunrise clinic", "--json")).out
    exported = await site.command("audit", "export")
    assert (exported.out, exported.err) == (shown, "3 exported\n")
    second = found["entries"][1]["at"]
    as_json = await site.command("audit", "export", "--format", "json", "--since", second, "--actor", "dr-ito")
    assert [entry["seq"] for entry in json.loads(as_json.out)["entries"]] == [2, 3]
    file = site.folder / "entries.csv"
    arguments = ("audit", "export", "--format", "csv", "--until", second, "--output", str(file))
    assert (await site.command(*arguments)).code == 0
    with file.open(encoding="utf-8", newline="") as rows:
        (row,) = csv.DictReader(rows)
    assert (row["seq"], row["event"], row["actor"]) == ("1", "registered", "dr-ito")
    assert (row["at"], json.loads(row["after"])["beds"]) == (found["entries"][2]["at"], 120)
    again = await site.command(*arguments)
    assert (again.code, again.err) == (2, f"hospital-worker: {file}: already exists; choose another name\n")


async def test_a_tampered_entry_does_not_end_an_export(site: Site, history: None, registry: MongoHandle) -> None:
    change = {"q": {"_id": "audit:amend"}, "u": {"$set": {"reason": float("nan"), "at": "\x1b[31m"}}}
    await registry.database.command("update", "logs", updates=[change], bypassDocumentValidation=True)
    exported = await site.command("audit", "export")
    assert [json.loads(line)["seq"] for line in exported.out.splitlines()] == [1, 2, 3]
    assert exported.code == 1
    found = "entries with a value that no entry can have: 1; run `hospital-worker audit verify --all`"
    assert exported.err == f"3 exported\nhospital-worker: {found}\n"
    listed = await site.command("audit", "list")
    assert [line.split()[0] for line in listed.out.splitlines()].count("?") == 1
    as_csv = await site.command("audit", "export", "--format", "csv")
    assert (as_csv.code, "\x1b" in exported.out + listed.out + as_csv.out) == (0, False)


@pytest.mark.parametrize(
    "command",
    [("show", "sunrise clinic"), ("show", "sunrise clinic", "--json"), ("list",), ("export",), ("heads",)],
)
async def test_a_closed_pipe_ends_a_command_quietly(site: Site, history: None, command: tuple[str, ...]) -> None:
    done = await site.run_unread("worker", "audit", *command)
    assert (done.code, done.err) == (EXIT_CLOSED_PIPE, "")


async def test_tampering_is_reported_without_terminal_control_codes(
    site: Site, history: None, registry: MongoHandle
) -> None:
    evil = "\x1b]0;x\x07\x9b31m\u202e\x7f[red]"
    await registry.logs.update_one({"_id": "audit:amend"}, {"$set": {"actor": evil, "job_id": evil}})
    code, shown, _ = await _on_terminal(site, "-m", "worker", "audit", "show", "sunrise clinic")
    assert code == 0
    assert r"by \x1b]0;x\x07\x9b31m\u202e\x7f[red]: licence" in shown
    # No control codes but our own colours reach the terminal.
    rest = re.sub(r"\x1b\[[\d;]*m", "", shown).replace("\r\n", "\n")
    assert shown != rest
    assert not set("\x1b\x07\x9b\u202e\x7f") & set(rest)
    exported = await site.command("audit", "show", "sunrise clinic", "--json")
    assert exported.out.isascii()
    assert exported.out.replace("\n", "").isprintable()
    assert json.loads(exported.out.splitlines()[1])["actor"] == evil

    found = await site.command("audit", "verify", "--all")
    assert found.code == 1
    assert found.out.splitlines() == [
        "name:sunrise clinic: entry 2 (audit:amend): wrong_hash: hash does not match the entry's content",
        "entries: 3, chains: 1, findings: 1",
    ]


async def test_an_impossible_request_is_reported_in_one_line(site: Site, history: None) -> None:
    bad_heads = site.folder / "heads"
    bad_heads.write_text("{}\n")
    no_heads = site.folder / "none"
    no_heads.touch()
    for arguments, code, message in (
        (("show", "unkno\x1bwn"), 1, r"the audit log has no entry for 'unkno\\x1bwn'"),
        (("verify", "unknown"), 2, "neither the audit log nor the registry contains 'unknown'"),
        (("verify",), 2, "give one hospital, or --all"),
        (("verify", "--all", "unknown"), 2, "give one hospital, or --all"),
        (("verify", "--all", "--heads", str(bad_heads)), 2, f"{bad_heads}, line 1: not a line"),
        (("verify", "--all", "--heads", str(no_heads)), 2, f"{no_heads}: contains no heads"),
        (("verify", "--all", "--heads", str(bad_heads) + "x"), 2, f"{bad_heads}x: No such file"),
    ):
        done = await site.command("audit", *arguments)
        assert (done.code, done.out, done.err.count("\n")) == (code, "", 1)
        assert done.err.startswith(f"hospital-worker: {message}")
    no_server = {"MONGODB_URL": "mongodb://127.0.0.1:1/?replicaSet=rs0", "MONGODB_SELECTION_TIMEOUT": "0.1"}
    unreachable = await site.run("worker", "audit", "verify", "--all", **no_server)
    assert (unreachable.code, unreachable.err.count("\n")) == (2, 1)


async def test_20_000_entries_are_verified_in_the_memory_of_1_000(site: Site, registry: MongoHandle) -> None:
    await _fill(registry, 1_000)
    code, _, out = await _on_terminal(site, "-c", MEASURED)
    assert code == 0
    summary, peak_of_1_000 = out.splitlines()
    assert summary == "entries: 1,000, chains: 2, no findings"
    await _fill(registry, 19_000)
    code, progress, out = await _on_terminal(site, "-c", MEASURED)
    assert code == 0
    summary, peak_of_20_000 = out.splitlines()
    assert summary == "entries: 20,000, chains: 4, no findings"
    # 19,000 entries in memory would take some 60 MiB; a batch of 1,000 takes 3.
    assert int(peak_of_20_000) - int(peak_of_1_000) < 20 * 1024
    assert re.search(r"\r[\d,]+ entries checked.*\r\x1b\[K$", progress)


async def _fill(registry: MongoHandle, entries: int) -> None:
    """Write two chains of rejected attempts, which need no hospital."""
    for chain in (1, 2):
        made: list[dict[str, Any]] = []
        hospital_id = f"cms:{entries}-{chain}"
        for seq in range(1, entries // 2 + 1):
            entry = {"_id": f"{hospital_id}:{seq}", "hospital_id": hospital_id, "seq": seq, **BY, "at": now()}
            entry |= {"event": "withdrawal_rejected", "before": None, "after": None, "job_id": "x" * 1_000}
            entry["prev_hash"] = made[-1]["hash"] if made else None
            made.append(entry | {"hash": entry_hash(entry)})
        await registry.logs.insert_many(made, ordered=False)


async def _on_terminal(site: Site, *command: str) -> tuple[int, str, str]:
    """Run Python with standard error on a terminal, and standard output too unless the command is `-c`.

    Return the exit code, the output on the terminal, and the output that was piped.
    """
    terminal, program_side = os.openpty()
    piped = command[0] == "-c"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *command),
        env={**os.environ, **site.environment, "PYTHONPATH": str(Path.cwd()), "TERM": "xterm", "COLUMNS": "200"},
        stdout=asyncio.subprocess.PIPE if piped else program_side,
        stderr=program_side,
    )
    os.close(program_side)
    reading = asyncio.create_task(asyncio.to_thread(_read_all, terminal))
    out, _ = await asyncio.wait_for(process.communicate(), 100)
    return process.returncode or 0, await reading, (out or b"").decode()


def _read_all(terminal: int) -> str:
    sent = b""
    with os.fdopen(terminal, "rb", buffering=0) as file:
        while True:
            try:
                sent += file.read(65_536)
            except OSError:
                # Linux raises this when the other side was closed.
                return sent.decode()
