import shlex
from pathlib import Path

import pytest

from producers.files import FileWishes, HospitalFile
from producers.files.columns import ColumnWishes
from producers.inspection import inspect_file

LISTS = {
    "name, place, address": "name,city,address\nOak,Aveda,Hill Road 1\nOak,Aveda,Hill Road 9\n",
    "name, place, telephone": "name,city,phone\nOak,Aveda,555-0001\nOak,Aveda,555-0002\n",
    "one address": "name,city,address,phone\nOak,Aveda,Hill 1,555-0001\nOak,Aveda,Hill 1,555-0002\n",
    "names that a shell would change": "Name,Street $A\nOak,Hill Road 1\nOak,Hill Road 9\n",
    "several address columns": "name,address1,address2\nOak,Hill Road,1\nOak,Hill Road,9\n",
    "a source in each row": "source,name,address\nmoh,Oak,Hill Road 1\nmoh,Oak,Hill Road 9\n",
}


def inspected(path: Path, wishes: ColumnWishes) -> tuple[int, HospitalFile]:
    file = HospitalFile.open(path, FileWishes(columns=wishes))
    return inspect_file(file, lambda _: None).collisions, file


@pytest.mark.parametrize("text", LISTS.values(), ids=LISTS)
def test_rows_in_collision_are_told_apart_by_the_options_of_the_advice(text: str, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text(text)
    collisions, file = inspected(path, ColumnWishes())
    assert collisions == 1
    options = shlex.split(file.advice_on_collisions.options)
    assert options[0] == "--map"
    mapping = dict([options[1].split("=", 1)])
    assert options[2:] == ([] if "source" in file.statistics else ["--source", "NAME"])
    source = "moh" if options[2:] else None
    assert inspected(path, ColumnWishes(mapping=mapping, source=source))[0] == 0


def test_the_advice_on_an_identifier_of_several_hospitals_names_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("name,group\nOak,7\nElm,7\n")
    collisions, file = inspected(path, ColumnWishes(mapping={"external_id": "group"}, source="moh"))
    assert collisions == 1
    assert file.advice_on_collisions.options == '--map external_id="group + COLUMN"'


def test_the_advice_can_be_followed_with_the_profile_of_the_list(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text(LISTS["name, place, address"])
    profile = inspected(path, ColumnWishes())[1].profile
    wishes = FileWishes(columns=ColumnWishes(mapping={"external_id": "name + address"}, source="moh"))
    file = HospitalFile.open(path, wishes.by_profile(profile))
    assert inspect_file(file, lambda _: None).collisions == 0
