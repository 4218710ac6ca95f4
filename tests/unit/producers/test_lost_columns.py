"""With `replace`, a column of the profile that is gone does not erase its field in all stored hospitals."""

import json
from pathlib import Path

import pytest

from producers.commands.support import DONE, NOTHING
from tests.unit.producers.conftest import Run

HEADER, ROWS = (
    "Code;Hospital Name;City;Beds;Phone",
    "".join(f"D{n};Clinic {n};Town {n};{n};555-01{n}\n" for n in range(10, 20)),
)


def _first(run: Run, folder: Path) -> Path:
    path, profile = folder / "first.csv", folder / "list.toml"
    path.write_text(f"{HEADER}\n{ROWS}")
    assert run("inspect", path, "--source", "moh", "--save", profile)[0] == DONE
    assert run("ingest", path, "--profile", profile)[0] == DONE
    return profile


@pytest.mark.parametrize(
    ("before", "now", "field"),
    [
        ("Beds", "Beds 2025", "beds"),
        ("Beds", "Lits", "beds"),
        ("Phone", "Xyz", "phone"),
        ("City", "Zone", "city"),
        ("Beds;Phone", "B1;P1", "phone"),
    ],
)
def test_the_delivery_is_refused_with_the_ways_out(
    run: Run, tmp_path: Path, before: str, now: str, field: str
) -> None:
    profile, later = _first(run, tmp_path), tmp_path / "later.csv"
    later.write_text(f"{HEADER.replace(before, now)}\n{ROWS}")
    command = ("ingest", later, "--profile", profile, "--on-existing")
    status, out, err = run(*command, "replace")
    assert (status, out) == (NOTHING, "")
    assert "would erase" in err
    assert field in err
    # What only looks says the same.
    assert run(*command, "replace", "--dry-run")[0] == NOTHING
    looked = ("inspect", later, "--profile", profile, "--on-existing")
    assert field in json.loads(run(*looked, "replace", "--json")[1])["erased"]
    assert json.loads(run(*looked, "merge", "--json")[1])["erased"] is None
    # Nothing is erased by these, and the user may say so.
    assert run(*command, "merge")[0] == DONE
    assert run(*command, "keep")[0] == DONE
    mapped = [option for name in ("beds", "phone", "city") for option in ("--map", f"{name}=")]
    status, out, err = run(*command, "replace", *mapped)
    assert (status, "would erase" in err) == (DONE, False)


@pytest.mark.parametrize("header", [HEADER, "Hospital Name;Code;City;Beds;Phone", HEADER + ";New"])
def test_a_delivery_with_all_columns_is_loaded(run: Run, tmp_path: Path, header: str) -> None:
    profile, later = _first(run, tmp_path), tmp_path / "later.csv"
    rows = ROWS
    if header.startswith("Hospital"):
        rows = "".join(";".join([b, a, *c]) + "\n" for a, b, *c in (it.split(";") for it in ROWS.splitlines()))
    later.write_text(f"{header}\n{rows}")
    assert run("ingest", later, "--profile", profile, "--on-existing", "replace")[0] == DONE
