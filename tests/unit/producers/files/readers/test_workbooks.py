import gzip
import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from producers.files import FileError
from producers.files.opening import open_table
from producers.files.table import Wishes

ROWS: list[list[Any]] = [
    ["id", "name", "beds", "opened", "open"],
    [1, "Oak", 120.0, date(2024, 3, 1), True],
    [2, "Elm", 7.5, None, False],
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "list.csv"


def save(path: Path, **sheets: list[list[Any]]) -> Path:
    workbook = openpyxl.Workbook()
    workbook.remove(workbook.active)
    for name, rows in sheets.items():
        sheet = workbook.create_sheet(name)
        for row in rows:
            sheet.append(row)
    workbook.save(path)
    return path


def save_ods(path: Path, rows: str) -> None:
    """Save an ods with a sheet of these rows, written as XML."""
    source = Path(__file__).with_name("hospitals.ods")
    with zipfile.ZipFile(source) as before, zipfile.ZipFile(path, "w") as after:
        for name in before.namelist():
            content = before.read(name)
            if name == "content.xml":
                start, end = content.index(b"<table:table-row>"), content.index(b"</table:table>")
                content = content[:start] + rows.encode() + content[end:]
            after.writestr(name, content)


def test_cells_have_their_types_and_rows_their_numbers(path: Path) -> None:
    table = open_table(save(path, Hospitals=ROWS))
    assert [(row.line, row.fields) for row in table.rows()] == [
        (2, {"id": 1, "name": "Oak", "beds": 120, "opened": date(2024, 3, 1), "open": True}),
        (3, {"id": 2, "name": "Elm", "beds": 7.5, "opened": None, "open": False}),
    ]
    assert (table.dialect.format, table.dialect.sheet, table.lines) == ("workbook", "Hospitals", 3)


def test_titles_and_empty_rows_above_the_header_are_skipped(path: Path) -> None:
    titles: list[list[Any]] = [["Ministry of Health"], [], ["List of hospitals", None, 2024]]
    table = open_table(save(path, Hospitals=[*titles, *ROWS]))
    assert list(table.columns) == ROWS[0]
    assert [row.line for row in table.rows()] == [5, 6]
    assert table.dialect.skip_rows == 3
    assert "List of hospitals" in " ".join(table.notes)


def test_the_sheet_with_the_largest_table_is_read_unless_the_user_names_another(path: Path) -> None:
    notes = [["Read me"], ["Each line of text"], *[["is one cell"]] * 50]
    save(path, Notes=notes, Small=[["id", "name"], [9, "Ash"]], Hospitals=ROWS)
    table = open_table(path)
    assert table.dialect.sheet == "Hospitals"
    assert "--sheet chooses another: 'Notes', 'Small'" in table.notes[0]
    assert [row.fields for row in open_table(path, Wishes(sheet="Small")).rows()] == [{"id": 9, "name": "Ash"}]
    with pytest.raises(FileError, match="no sheet 'Large'; its sheets are 'Notes', 'Small', 'Hospitals'"):
        open_table(path, Wishes(sheet="Large"))


def test_a_sheet_without_a_header_loses_no_row(path: Path) -> None:
    table = open_table(save(path, Sheet=[["A1", "Oak", 5], ["A2", "Elm", 6], ["A3", "Ash", 7]]))
    assert list(table.columns) == ["1", "2", "3"]
    assert [row.fields["2"] for row in table.rows()] == ["Oak", "Elm", "Ash"]


def test_columns_without_a_name_keep_their_cells(path: Path) -> None:
    table = open_table(save(path, Sheet=[["id", None, "name"], [1, "x", "Oak", "y"], [2, "z", "Elm"]]))
    assert next(table.rows()).fields == {"id": 1, "column 2": "x", "name": "Oak", "column 4": "y"}


def test_a_compressed_workbook_is_read(path: Path) -> None:
    content = save(path, Sheet=ROWS).read_bytes()
    path.write_bytes(gzip.compress(content))
    assert [row.fields["name"] for row in open_table(path).rows()] == ["Oak", "Elm"]


def test_a_workbook_without_rows_or_broken_is_refused(path: Path) -> None:
    with pytest.raises(FileError, match="contains no rows"):
        open_table(save(path, Sheet=[]))
    content = save(path, Sheet=ROWS).read_bytes()
    path.write_bytes(content[:-200])
    with pytest.raises(FileError, match=r"cannot be (read|uncompressed)"):
        open_table(path)


@pytest.mark.parametrize("suffix", ["xls", "ods"])
def test_other_workbooks_are_read(suffix: str) -> None:
    table = open_table(Path(__file__).with_name(f"hospitals.{suffix}"))
    assert [row.fields for row in table.rows()] == [{"id": 1, "name": "Élan"}, {"id": 2, "name": "Oak"}]


def test_a_column_whose_name_is_blank_is_called_by_its_number(path: Path) -> None:
    table = open_table(
        save(path, Hospitals=[["name", "\u3000 ", "city"], ["Oak", "1", "Aveda"], ["Elm", "2", "Brusk"]])
    )
    assert table.columns == ["name", "column 2", "city"]


def test_other_sheets_of_the_same_list_are_named_with_the_command_for_each(path: Path) -> None:
    longer = [*ROWS, [3, "Ash", 4, None, True]]
    renamed: list[list[Any]] = [["Name", "ID", "beds", "opened", "open "], ["Yew", 9, 5, None, True]]
    # One column more, and another name of the hospital.
    other: list[list[Any]] = [["id", "Hospital", "town", "opened", "open", "x"], [9, "Fir", "Aveda", None, True, 1]]
    legend: list[list[Any]] = [["code", "name"], [1, "public"], [2, "private"]]
    sheets: dict[str, list[list[Any]]] = {
        "North": longer,
        "South": ROWS,
        "East 1": renamed,
        "Towns": other,
        "Legend": legend,
        "Without header": ROWS[1:],
        "Empty": ROWS[:1],
    }
    table = open_table(save(path, **sheets))
    assert table.dialect.sheet == "North"
    assert table.notes[1] == (
        "more sheets look like this list and are not read (4); load each of them: "
        f"ingest {path} --sheet South; ingest {path} --sheet 'East 1'; ingest {path} --sheet Towns; "
        f"ingest {path} --sheet 'Without header'"
    )
    chosen = open_table(path, Wishes(sheet="North"))
    assert [note for note in chosen.notes if "not read" in note] == []


def test_a_hidden_sheet_is_named_and_read_if_the_user_names_it(path: Path) -> None:
    workbook = openpyxl.load_workbook(save(path.with_suffix(".xlsx"), North=ROWS, South=[*ROWS, *ROWS[1:]]))
    workbook["South"].sheet_state = "hidden"
    workbook.save(path)
    table = open_table(path)
    assert table.dialect.sheet == "North"
    assert "hidden sheets are not read: 'South'; --sheet chooses one" in table.notes
    assert f"ingest {path} --sheet South" in table.notes[-1]
    assert len(list(open_table(path, Wishes(sheet="South")).rows())) == 4


def test_merged_cells_are_the_value_of_each_of_their_rows(path: Path) -> None:
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    for row in (["Region", "name", "beds"], ["North", "Oak", 5], [None, "Elm", None], ["South", None, None]):
        sheet.append(row)
    sheet.append([None, "Ash", 7])
    for merged in ("A2:A3", "C2:C3", "A4:C4"):
        sheet.merge_cells(merged)
    workbook.save(path)
    table = open_table(path)
    assert [tuple(row.fields.values()) for row in table.rows()] == [
        ("North", "Oak", 5),
        # A number of beds for two hospitals is that of neither.
        ("North", "Elm", None),
        # A title across the columns is the value of none of the others.
        ("South", None, None),
        (None, "Ash", 7),
    ]
    assert "merged cells are read as the value of each of their rows: 'Region'" in table.notes


@pytest.mark.parametrize(
    ("number", "number_format", "shown"),
    [
        (7, "00000", "00007"),
        (1234567, "00000", "1234567"),
        (123456789, '0#" "##" "##" "##" "##', "01 23 45 67 89"),
        (123456789, "00 00 00 00 00", "01 23 45 67 89"),
        (61010007, r"00000\-0000", "06101-0007"),
        (7, "[$-409]00000;[Red]-00000", "00007"),
        # These show a quantity.
        (7, "0", 7),
        (7, "0.00", 7),
        (7000, "# ##0", 7000),
        (7000, "#,##0", 7000),
        (-7, "00000", -7),
        (7.5, "00000", 7.5),
    ],
)
def test_numbers_are_read_with_the_zeros_that_their_format_shows(
    path: Path, number: float, number_format: str, shown: object
) -> None:
    workbook = openpyxl.Workbook()
    workbook.active.append(["code", "name"])
    workbook.active.append([number, "Oak"])
    workbook.active["A2"].number_format = number_format
    workbook.save(path)
    assert [row.fields["code"] for row in open_table(path).rows()] == [shown]


def test_formulas_without_a_result_are_noted(path: Path) -> None:
    table = open_table(save(path, Sheet=[["name", "beds"], ["Oak", "=1+1"], ["Elm", 3]]))
    assert [note for note in table.notes if "1 formulas have no result" in note and "save it" in note]
    assert [row.fields["beds"] for row in table.rows()] == [None, 3]


def test_an_ods_is_read_as_it_is_shown(path: Path) -> None:
    number = '<table:table-cell office:value-type="float" office:value="{}"><text:p>{}</text:p></table:table-cell>'
    text = '<table:table-cell{} office:value-type="string"><text:p>{}</text:p></table:table-cell>'
    rows = [
        [text.format("", name) for name in ("Region", "name", "code", "beds")],
        [
            text.format(' table:number-rows-spanned="2" table:number-columns-spanned="1"', "North"),
            text.format("", "Oak"),
            number.format(7, "007"),
            number.format(12, "12"),
        ],
        [
            "<table:covered-table-cell/>",
            text.format("", "Elm"),
            number.format(123, "123"),
            number.format(0.5, "0.5"),
        ],
    ]
    header = '<table:table-row table:number-rows-repeated="2"><table:table-cell/></table:table-row>'
    body = header + "".join(f"<table:table-row>{''.join(cells)}</table:table-row>" for cells in rows)
    save_ods(path, body)
    table = open_table(path)
    assert [tuple(row.fields.values()) for row in table.rows()] == [
        ("North", "Oak", "007", 12),
        ("North", "Elm", 123, 0.5),
    ]
    assert "merged cells are read as the value of each of their rows: 'Region'" in table.notes


def test_names_in_two_rows_are_joined_and_noted(path: Path) -> None:
    rows: list[list[Any]] = [
        ["Krankenhaus", "Adresse", None, "Betten", None],
        [None, "PLZ", "Ort", "teilstationär", "gesamt"],
        *(["Klinik", f"0634{number}", "Aveda", 5, 20 + number] for number in range(6)),
    ]
    table = open_table(save(path.with_suffix(".xlsx"), List=rows))
    assert any(note.startswith("the names of columns are in two rows, which are joined:") for note in table.notes)
    assert "Betten gesamt" in table.columns
    assert len(list(table.rows())) == 6


def test_hidden_rows_are_read_and_noted(path: Path) -> None:
    workbook = openpyxl.load_workbook(save(path.with_suffix(".xlsx"), North=[*ROWS, *ROWS[1:]]))
    workbook["North"].row_dimensions[2].hidden = True
    workbook["North"].row_dimensions[90].hidden = True
    workbook.save(path)
    table = open_table(path)
    assert len(list(table.rows())) == 2 * len(ROWS[1:])
    assert [note for note in table.notes if "hidden in the sheet" in note and "others: 1, first row 2;" in note]


def test_hidden_rows_of_an_ods_are_read_and_noted(path: Path) -> None:
    cell = '<table:table-cell office:value-type="string"><text:p>{}</text:p></table:table-cell>'
    row = "<table:table-row{}>" + cell + cell + "</table:table-row>"
    rows = [
        *(row.format("", "name", "city"), row.format("", "Oak", "Aveda")),
        row.format(' table:visibility="filter"', "Elm", "Brusk"),
        row.format(' table:visibility="collapse" table:number-rows-repeated="2"', "Ash", "Corvo"),
        '<table:table-row table:visibility="collapse" table:number-rows-repeated="1048000"><table:table-cell/>',
        "</table:table-row>",
    ]
    save_ods(path, "".join(rows))
    table = open_table(path)
    assert [row.fields["name"] for row in table.rows()] == ["Oak", "Elm", "Ash", "Ash"]
    assert [note for note in table.notes if "hidden in the sheet" in note and "others: 3, first row 3;" in note]
