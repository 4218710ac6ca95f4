"""Which list of a JSON document is that of the hospitals, and documents that have no list."""

import json
from pathlib import Path
from typing import Any

import pytest

from producers.files import FileError, FileWishes, HospitalFile
from producers.files.opening import open_table
from producers.files.table import Wishes

HOSPITALS = [{"code": f"H{at}", "name": f"Oak {at}", "city": "Aveda", "beds": at} for at in range(3)]
NAMES = ["Oak 0", "Oak 1", "Oak 2"]
CALLED_SO = ["Oak Hospital", "Elm Clinic", "Ash Hospital"]


def around(key: str, inner: list[Any], **more: Any) -> list[dict[str, Any]]:
    """Return records with a list in each, under a name column that no table knows."""
    return [{"province": "P", "city": "Aveda", "xyz": name, key: inner, **more} for name in CALLED_SO]


def save(tmp_path: Path, document: Any, **how: Any) -> Path:
    path = tmp_path / "list.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document, ensure_ascii=False, **how))
    return path


def names_of(path: Path) -> list[str | None]:
    return [None if row.record is None else row.record.hospital_name for row in HospitalFile.open(path).rows()]


@pytest.mark.parametrize(
    "document",
    [
        around("contacts", [{"name": "张三", "tel": "0271234567"}, {"name": "李四", "tel": "0271234568"}]),
        around("responsables", [{"nombre": "Ana", "teléfono": "911234567", "cargo": "jefa"}]),
        around("ärzte", [{"name": "Ute", "fachgebiet": "Auge"}]),
        around("担当者", [{"名前": "山田", "電話番号": "0312345678", "役職": "部長"}]),
        around("departments", [{"name": "Surgery", "beds": 10, "floor": 2}]),
        around("abteilungen", [{"name": "Chirurgie"}, {"name": "Augen"}]),
        {"data": around("people", [{"name": "Ana", "phone": "1234567", "email": "a@b.c"}])},
    ],
)
def test_people_and_departments_in_the_records_are_no_hospitals(tmp_path: Path, document: Any) -> None:
    assert names_of(save(tmp_path, document)) == CALLED_SO


@pytest.mark.parametrize(
    "document",
    [
        {"regions": [{"region": "North", "hospitals": HOSPITALS}]},
        [{"province": "North", "xyz": "a7", "list": HOSPITALS}],
        [{"name": "North", "facilities": HOSPITALS}],
        {"países": [{"país": "X", "regiones": [{"región": "North", "hospitales": HOSPITALS}]}]},
        # Pages.
        [{"page": at, "data": [one]} for at, one in enumerate(HOSPITALS)],
        {"pages": [{"offset": at, "limit": 1, "items": [one]} for at, one in enumerate(HOSPITALS)]},
        [
            {"status": "ok", "total": 3, "results": HOSPITALS[:2]},
            {"status": "ok", "total": 3, "results": HOSPITALS[2:]},
        ],
        "\n".join(json.dumps({"page": at, "data": [one]}) for at, one in enumerate(HOSPITALS)),
        # A longer list of something else.
        {"hospitals": HOSPITALS, "doctors": [{"name": f"Ana {at}", "city": "X", "phone": "1"} for at in range(9)]},
        {"municipios": [{"nombre": f"M{at}", "código": at} for at in range(9)], "datos": HOSPITALS},
        # Columns.
        {key: {str(at): one[key] for at, one in enumerate(HOSPITALS)} for key in HOSPITALS[0]},
        {key: {one["code"]: one[key] for one in HOSPITALS} for key in ("name", "city")},
        {"data": {key: {str(at): one[key] for at, one in enumerate(HOSPITALS)} for key in HOSPITALS[0]}},
        {key: [one[key] for one in HOSPITALS] for key in HOSPITALS[0]},
        {"nombre": {"a": "Oak 0", "b": "Oak 1", "c": "Oak 2"}, "camas": {"a": 1, "b": 2, "c": None}},
        # Two levels of keys.
        {"data": {"North": {"H0": HOSPITALS[0], "H1": HOSPITALS[1]}, "South": {"H2": HOSPITALS[2]}}},
        {"North": {"H0": HOSPITALS[0]}, "South": {"H1": HOSPITALS[1], "H2": HOSPITALS[2]}},
        # One level, as before: a record may have objects.
        {one["code"]: {"name": one["name"], "address": {"city": "Aveda"}} for one in HOSPITALS},
        {one["code"]: one for one in HOSPITALS},
        {"hospitals": HOSPITALS, "total": 3},
    ],
)
def test_the_hospitals_are_found(tmp_path: Path, document: Any) -> None:
    file = HospitalFile.open(save(tmp_path, document))
    assert [None if row.record is None else row.record.hospital_name for row in file.rows()] == NAMES
    # All of them: no other list is left to be loaded.
    assert file.unread == []
    again = HospitalFile.open(file.path, FileWishes().by_profile(file.profile))
    assert again.rows_read == file.rows_read


@pytest.mark.parametrize(
    ("document", "paths"),
    [
        # The names of neither are called hospitals, or those of both.
        ([{"city": "Aveda", "xyz": f"Oak {at}", "uvw": [{"name": "Elm"}]} for at in range(3)], [".", "[].uvw"]),
        (around("sites", [{"name": "Fir Hospital", "beds": 4}]), [".", "[].sites"]),
        ({"data": around("kliniken", [{"name": "Surgery", "floor": 4}])}, ["data", "data[].kliniken"]),
        ([{"xyz": f"Oak {at}", "uvw": [{"name": "Elm", "beds": 4}]} for at in range(3)], [".", "[].uvw"]),
        ({"a": {"b": around("c", [{"name": "Elm Hospital"}])}}, ["a.b", "a.b[].c"]),
    ],
)
def test_a_document_is_refused_if_either_list_may_be_the_hospitals(
    tmp_path: Path, document: Any, paths: list[str]
) -> None:
    path = save(tmp_path, document)
    with pytest.raises(FileError, match="may have the hospitals in its list") as caught:
        HospitalFile.open(path)
    for records in paths:
        assert records in str(caught.value)
        assert open_table(path, Wishes(records=records)).columns


@pytest.mark.parametrize("is_ndjson", [False, True])
@pytest.mark.parametrize(
    ("cells", "code", "beds"),
    [
        ('"code": 12345678901234567890123, "beds": 4', "12345678901234567890123", 4),
        ('"code": 99999999999999999999, "beds": NaN', "99999999999999999999", None),
        ('"code": "A1", "beds": NaN', "A1", None),
        ('"code": "A1", "beds": -Infinity', "A1", None),
        ('"code": "NaN", "x": Infinity, "beds": 5', "NaN", 5),
        ('"code": 9007199254740993, "beds": 1.0', "9007199254740993", 1),
        ('"code": "12345678901234567890123 \\" NaN", "beds": NaN', '12345678901234567890123 " NaN', None),
    ],
)
def test_numbers_are_read_as_python_writes_them(
    tmp_path: Path, cells: str, code: str, beds: int | None, *, is_ndjson: bool
) -> None:
    lines = [f'{{"name": "Oak", "city": "X", {cells}}}', '{"name": "Elm", "city": "Y", "code": "B2", "beds": 2}']
    text = "\n".join(lines) if is_ndjson else f"[{', '.join(lines)}]"
    rows = list(HospitalFile.open(save(tmp_path, text)).rows())
    assert str(rows[0].fields["code"]) == code
    assert [row.record.beds for row in rows if row.record is not None] == [beds, 2]


@pytest.mark.parametrize(
    "text", ['[{"name": "Oak", "beds": nan}, {"name": "Elm"}]', '[{"name": "Oak"}, {"name": "E']
)
def test_broken_json_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(FileError, match="is broken JSON after record"):
        HospitalFile.open(save(tmp_path, text))


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda one: one,
        lambda one: {"data": one},
        lambda one: {side: dict([pair]) for side, pair in zip(("north", "south"), one.items(), strict=True)},
    ],
)
def test_hospitals_under_keys_in_documents_that_follow_each_other_are_all_read(
    tmp_path: Path, wrapped: Any
) -> None:
    parts = [
        {
            f"{key}{at}": {"name": f"{name} {at}", "city": "X", "beds": at}
            for key, name in (("a", "Oak"), ("b", "Elm"))
        }
        for at in range(3)
    ]
    text = "\n".join(json.dumps(wrapped(part), indent=1) for part in parts)
    assert sorted(map(str, names_of(save(tmp_path, text)))) == [
        f"{name} {at}" for name in ("Elm", "Oak") for at in range(3)
    ]


def test_records_that_follow_each_other_are_read_with_the_objects_in_them(tmp_path: Path) -> None:
    record = {"address": {"city": "X", "zip": "1"}, "contact": {"city": "Y", "phone": "555"}}
    for outside in (True, False):
        named = [{"name": name} if outside else {"hospital": {"name": name, "city": "X"}} for name in NAMES]
        text = "\n".join(json.dumps(record | name, indent=1) for name in named)
        assert names_of(save(tmp_path, text)) == NAMES


@pytest.mark.parametrize(
    "text", ['0{"":{"":""}}', '{"a": {"b": {"name": "Oak"}}}0', '{"name": ["Oak", "Elm"], "city": ["X", "Y"]}\n5']
)
def test_more_values_in_a_row_are_refused_in_one_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(FileError) as refused:
        HospitalFile.open(save(tmp_path, text), FileWishes(reading=Wishes(format="json")))
    assert "\n" not in str(refused.value)


def test_an_error_of_json_does_not_quote_letters_that_are_cut(tmp_path: Path) -> None:
    first = '{"name":"Городская больница номер один улица Ленина Иванов"}'
    text = f'[{first} {{"name":"Вторая городская больница улица Мира"}}]'
    with pytest.raises(FileError, match=r"is broken JSON after record 1 \(parse error: [^\\{]+\); fetch it again"):
        HospitalFile.open(save(tmp_path, text))


def test_an_error_of_json_does_not_quote_the_file(tmp_path: Path) -> None:
    text = '[{"name": "Oak", "note": "secret"}, {"name": "Elm"}, ]'
    with pytest.raises(FileError, match="is broken JSON after record 2") as refused:
        HospitalFile.open(save(tmp_path, text))
    assert "secret" not in str(refused.value)
    assert "Elm" not in str(refused.value)


@pytest.mark.parametrize("end", ["", ",", " ,", ", \r", ",\n", ",\n\n"])
def test_objects_on_lines_that_end_with_commas_are_lines(tmp_path: Path, end: str) -> None:
    lines = [f'{{"name": "Oak {number}", "city": "X", "beds": {number}}}' for number in range(1, 60)]
    file = HospitalFile.open(save(tmp_path, " ,\n".join(lines) + end))
    assert file.dialect.format == "ndjson"
    assert [row.record.beds for row in file.rows() if row.record is not None] == [*range(1, 60)]


@pytest.mark.parametrize("start", ["[\n", "[", '{"items": [\n', '{"items": ['])
def test_a_list_with_an_object_on_each_line_is_one_document(tmp_path: Path, start: str) -> None:
    lines = [f'{{"name": "Oak {number}", "city": "X", "beds": {number}}}' for number in range(1, 60)]
    text = start + ",\n".join(lines) + "\n]" + "}" * start.startswith("{")
    file = HospitalFile.open(save(tmp_path, text))
    assert file.dialect.format == "json"
    assert [row.record.beds for row in file.rows() if row.record is not None] == [*range(1, 60)]


def test_a_line_that_is_no_object_but_for_its_comma_is_rejected(tmp_path: Path) -> None:
    lines = [f'{{"name": "Oak {number}", "city": "X"}},' for number in range(1, 9)]
    lines[3:3] = ['{"name": "Elm", "city": "X"},,', '["name"],', '{"name": "Ash"},}', ","]
    rows = list(HospitalFile.open(save(tmp_path, "\n".join(lines))).rows())
    assert [row.line for row in rows if row.record is None] == [4, 5, 6, 7]
