import json
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
    assert file.advice_on_collisions.options == '--map external_id="group + name"'


KEYS = {
    "name,safe_name,lat,lon\nOak,oak,1.5,2.5\nOak,oak,1.5,3.5\nElm,elm,1.5,3.5\n": "name + lat + lon",
    "name,address,city\nOak,Hill 1,Aveda\nOak,Hill 2,Aveda\nElm,Hill 2,Aveda\n": "name + address",
    "No.,name,city,ward\n1,Oak,Aveda,A\n2,Oak,Aveda,B\n3,Elm,Aveda,A\n": "name + ward",
    "nombre,direccion,telefono\nOak,Hill 1,5550001\nOak,Hill 1,5550002\n": "nombre + telefono",
    "name,address,city\nOak,Hill 1,Aveda\nOak,Hill 1,Bree\nOak,Hill 2,Aveda\n": "name + address + city",
    # An address that is missing in one row would cost that row its identifier.
    "name,address,phone\nOak,Hill 1,5550001\nOak,,5550002\nOak,Hill 2,5550003\n": "name + phone",
}


@pytest.mark.parametrize(("text", "key"), KEYS.items(), ids=KEYS.values())
def test_the_advice_names_the_fewest_full_columns_that_tell_rows_apart(text: str, key: str, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text(text)
    assert f'"{key}"' in HospitalFile.open(path).advice_on_collisions.options


def test_the_advice_never_joins_an_object(tmp_path: Path) -> None:
    path = tmp_path / "list.geojson"
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [at, 1.5]},
            "properties": {"name": "Oak", "ward": f"W{at}"},
        }
        for at in range(3)
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    assert '"name + ward"' in HospitalFile.open(path).advice_on_collisions.options


def test_a_joined_identifier_that_is_too_long_is_cut_and_stays_different(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    street = "Road to the Harbour " * 8
    path.write_text("name,address\n" + "".join(f"Oak,{street}{at}\n" for at in range(3)))
    wishes = FileWishes(columns=ColumnWishes(mapping={"external_id": "name + address"}, source="moh"))
    first, again = (
        [row.record.external_id or "" for row in HospitalFile.open(path, wishes).rows() if row.record is not None]
        for _ in range(2)
    )
    assert first == again
    assert len(set(first)) == 3
    assert all(len(it) <= 128 and it.startswith("Oak-Road to the Harbour") for it in first)


def test_a_running_number_is_not_proposed_beside_an_identifier(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("No.,name,Facility Code\n" + "".join(f"{at},Oak {at},F{at * 7}\n" for at in range(1, 30)))
    file = HospitalFile.open(path, FileWishes(columns=ColumnWishes(source="moh")))
    assert file.columns.columns_of("external_id") == ("Facility Code",)
    assert not any("also with a different value" in note for note in file.notes)


def test_the_advice_can_be_followed_with_the_profile_of_the_list(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text(LISTS["name, place, address"])
    profile = inspected(path, ColumnWishes())[1].profile
    wishes = FileWishes(columns=ColumnWishes(mapping={"external_id": "name + address"}, source="moh"))
    file = HospitalFile.open(path, wishes.by_profile(profile))
    assert inspect_file(file, lambda _: None).collisions == 0
