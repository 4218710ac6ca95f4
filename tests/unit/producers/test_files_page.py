"""What docs/files.md shows is what the commands print."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.unit.producers.conftest import Run
from worker.contract import ChunkOutcome, IngestHospitals
from worker.contract.imports import PreviewHospitals, PreviewOutcome

PAGE = (Path(__file__).parents[3] / "docs" / "files.md").read_text("utf-8")
# They differ from run to run.
_OWN = ("", "import", "report", "rejects", "seconds", "rows per s")


def shown(command: str) -> list[str]:
    """Return the lines that the page shows below a command."""
    blocks: list[str] = re.findall(r"^```console\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    block = next(block for block in blocks if f"$ {command}\n" in block)
    return block.split(f"$ {command}\n")[1].split("\n$ ")[0].splitlines()


def facts(lines: list[str]) -> dict[str, str]:
    """Return the rows of a table of facts."""
    cells = [[cell.strip() for cell in line.strip("│").split("│")] for line in lines if line.startswith("│")]
    return {cell[0]: cell[1] for cell in cells}


@pytest.fixture(autouse=True)
def imported_before(producer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    Path("list.csv").write_text("\n".join(shown("cat list.csv")) + "\n")

    async def answer(payload: Any) -> Any:
        if isinstance(payload, PreviewHospitals):
            return PreviewOutcome(statuses=["kept", "same", "same"])
        if isinstance(payload, IngestHospitals):
            return ChunkOutcome(statuses=["kept", "same", "same", "same"])
        return await producer.successful_answer(payload)

    producer.answer = answer


def test_the_page_shows_what_inspect_prints(run: Run) -> None:
    command = "inspect list.csv --source moh"
    _, out, _ = run(*command.split())
    assert [line.rstrip() for line in out.splitlines()] == shown(f"hospital-producer {command}")


def test_the_page_shows_what_ingest_prints(run: Run) -> None:
    command = "ingest list.csv --source moh"
    _, out, _ = run(*command.split())
    printed, page = facts(out.splitlines()), facts(shown(f"hospital-producer {command}"))
    assert [name for name in printed if name] == [name for name in page if name]
    assert {name: value for name, value in printed.items() if name not in _OWN} == {
        name: value for name, value in page.items() if name not in _OWN
    }
