"""A list whose hospitals are identified otherwise than before is not stored a second time unasked."""

import json
from pathlib import Path
from typing import Any

import pytest

from producers.commands.support import DONE, NOTHING, PARTLY
from tests.unit.producers.conftest import Run

HEADER = "Code;Hospital Name;City;Address;Beds\n"
ROWS = "".join(f"D{n:03};Clinic {n};Town {n};Hill {n};{n}\n" for n in range(1, 41))
# Two codes are repeated, so that the column identifies nothing.
REPEATED = HEADER + ROWS + "D003;Other Clinic;Dorn;Lane 1;7\nD005;Lost Clinic;Elst;Lane 2;8\n"
UNIQUE = HEADER + ROWS + "D103;Other Clinic;Dorn;Lane 1;7\nD105;Lost Clinic;Elst;Lane 2;8\n"
BY_CODE, BY_NAME = "--map external_id=Code", "--map external_id= --map local_id=Code"


@pytest.mark.parametrize(
    ("first", "second", "as_before", "anew"),
    [(REPEATED, UNIQUE, BY_NAME, BY_CODE), (UNIQUE, REPEATED, BY_CODE, BY_NAME)],
    ids=["then by code", "then by name and place"],
)
def test_it_is_refused_with_the_way_out(
    run: Run, tmp_path: Path, producer: Any, first: str, second: str, as_before: str, anew: str
) -> None:
    path, later = tmp_path / "first.csv", tmp_path / "second.csv"
    path.write_text(first)
    later.write_text(second)
    profile = tmp_path / "list.toml"
    assert run("inspect", path, "--source", "moh", "--save", profile)[0] == DONE
    assert run("ingest", path, "--source", "moh")[0] == DONE
    imports = len(producer.imports.documents)

    status, out, err = run("ingest", later, "--source", "moh")
    assert (status, out, len(producer.imports.documents)) == (NOTHING, "", imports)
    assert f"with --profile or {as_before}; to store them a second time: {anew}" in err
    assert run("ingest", later, "--source", "moh", "--dry-run")[0] == NOTHING
    inspected = json.loads(run("inspect", later, "--source", "moh", "--json")[1])
    assert f"--profile or {as_before}" in inspected["stored_twice"]

    for options in (["--profile", profile], ["--source", "moh", *as_before.split()]):
        status, out, err = run("ingest", later, *options, "--json")
        assert status in (DONE, PARTLY)
        assert json.loads(out)["same"] >= 38
        assert "second time" not in err
    status, out, err = run("ingest", later, "--source", "moh", *anew.split(), "--json")
    assert json.loads(out)["created"] >= 38
    assert "second time" in err


def test_names_that_another_list_has_stored_are_noted(run: Run, tmp_path: Path) -> None:
    first, second = tmp_path / "north.csv", tmp_path / "south.csv"
    first.write_text("Hospital Name;Beds\nGeneral Hospital;10\nMercy Hospital;20\nRiver Clinic;30\n")
    second.write_text("Hospital Name;Beds\nGeneral Hospital;10\nHill Clinic;40\n")
    status, _, err = run("ingest", first, "--source", "moh")
    assert (status, "is stored already" in err) == (DONE, False)
    note = "rows that have only a name, under which a hospital is stored already: 1 of 2 that were looked up"
    assert any(note in it for it in json.loads(run("inspect", second, "--source", "moh", "--json")[1])["notes"])
    status, out, err = run("ingest", second, "--source", "moh", "--json")
    assert (status, json.loads(out)["same"]) == (DONE, 1)
    assert note in err
    assert any(note in it for it in json.loads(out)["notes"])
    # With a place, or in a source of its own, there is nothing to note.
    assert "is stored already" not in run("ingest", second, "--source", "other")[2]


@pytest.mark.parametrize(
    "second",
    [
        # Another list of the source, a first import, and rows few of which have another identity.
        HEADER + "".join(f"E{n};Ward {n};Port {n};Quay {n};{n}\n" for n in range(40)),
        REPEATED.replace("D003;Other", ";Other"),
    ],
)
def test_a_list_of_other_hospitals_is_loaded(run: Run, tmp_path: Path, second: str) -> None:
    path, later = tmp_path / "first.csv", tmp_path / "second.csv"
    path.write_text(REPEATED)
    later.write_text(second)
    assert run("ingest", path, "--source", "moh")[0] == DONE
    assert run("ingest", later, "--source", "other")[0] == DONE
    assert run("ingest", later, "--source", "moh", *("--map", "external_id="))[0] == DONE
