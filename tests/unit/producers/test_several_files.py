"""Several lists in one command, or in one workbook: each is accounted for."""

import json
from pathlib import Path

import openpyxl
import pytest

from producers.commands.support import DONE, NOTHING, PARTLY
from tests.unit.producers.conftest import Run


@pytest.mark.parametrize("options", [("ingest",), ("ingest", "--dry-run"), ("inspect",)])
def test_each_of_several_files_has_an_object_on_a_line_of_its_own(
    run: Run, tmp_path: Path, options: tuple[str, ...]
) -> None:
    for name, text in {"a.csv": "name\nOak\n", "b.csv": "", "c.csv": "name\nElm\n"}.items():
        (tmp_path / name).write_text(text)
    status, out, err = run(options[0], tmp_path, *options[1:], "--json")
    objects = [json.loads(line) for line in out.splitlines()]
    assert [(it["file"], it["rows"] if "rows" in it else it["state"]) for it in objects] == [
        (str(tmp_path / "a.csv"), 1),
        (str(tmp_path / "b.csv"), "refused"),
        (str(tmp_path / "c.csv"), 1),
    ]
    assert objects[1]["trouble"] == f"{tmp_path / 'b.csv'}: is empty"
    assert (status, "b.csv: is empty" in err) == (PARTLY, True)


def test_one_file_has_one_object_and_none_if_it_is_refused(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("name\nOak\n")
    status, out, _ = run("ingest", path, "--json")
    assert (status, json.loads(out)["file"], len(out.splitlines()) > 1) == (DONE, str(path), True)
    path.write_text("")
    assert run("ingest", path, "--json")[:2] == (NOTHING, "")


def test_a_list_that_goes_on_in_other_sheets_is_not_loaded_as_a_whole(run: Run, tmp_path: Path) -> None:
    workbook = openpyxl.Workbook()
    for region in ("North", "South"):
        sheet = workbook.create_sheet(region)
        sheet.append(["Hospital Name", "City", "Beds"])
        for number in range(30):
            sheet.append([f"{region} Clinic {number}", f"Town {number}", number])
    path = tmp_path / "regions.xlsx"
    workbook.save(path)
    status, _, err = run("ingest", path)
    assert (status, f"ingest {path} --sheet South" in err) == (PARTLY, True)
    assert run("inspect", path, "--json")[0] == DONE
    assert run("ingest", path, "--dry-run")[0] == PARTLY
    for region in ("North", "South"):
        status, out, err = run("ingest", path, "--sheet", region, "--json")
        assert (status, json.loads(out)["rows"]) == (DONE, 30)


def test_a_profile_does_not_silence_other_sheets_and_lists_unless_one_was_chosen(run: Run, tmp_path: Path) -> None:
    workbook = openpyxl.Workbook()
    for region in ("North", "South"):
        sheet = workbook.create_sheet(region)
        for row in (["Hospital Name", "City"], [f"{region} Oak", "Aveda"], [f"{region} Elm", "Brusk"]):
            sheet.append(row)
    workbook.save(tmp_path / "list.xlsx")
    oak, elm, ash = ({"name": it, "city": "Aveda"} for it in ("Oak", "Elm", "Ash"))
    lists = {"hospitals": [oak, elm], "clinics": [ash]}
    (tmp_path / "list.json").write_text(json.dumps(lists))
    for path, option, other in (("list.xlsx", "--sheet", "South"), ("list.json", "--records", "clinics")):
        file, profile = tmp_path / path, tmp_path / f"{path}.toml"
        assert run("inspect", file, "--save", profile)[0] == DONE
        status, _, err = run("ingest", file, "--profile", profile)
        assert (status, f"ingest {file} {option} {other}" in err) == (PARTLY, True)
        run("inspect", file, option, other, "--save", profile)
        status, _, err = run("ingest", file, "--profile", profile)
        assert (status, "not read (" in err) == (DONE, False)
