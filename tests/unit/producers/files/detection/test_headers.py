import pytest

from producers.files.detection.headers import Header, distinct, find_header

BODY = [["1", "Oak Hospital", "Aveda", "120"], ["2", "Elm Hospital", "Brusk", "60"], ["3", "Ash", "Corvo", ""]]


def rows(*first: str) -> list[list[str]]:
    return [line.split("|") for line in first] + BODY


@pytest.mark.parametrize(
    "header",
    [
        "id|name|city|beds",
        "ID|NOMBRE|CIUDAD|CAMAS",
        "kode|nama|kota|kelas",
        "номер|название|город|койки",
        "№|Наименование|Адрес|Количество",
        "編號|機構名稱|地址|病床數",
        "番号|施設名|住所|病床",
        "번호|병원명|주소|병상",
        "الرقم|الاسم|المدينة|الأسرة",
        "OBJECTID|Facility_Name|LGA|NumBeds",
        "kolumn|sjukhus|ort|platser",
        "FI_ET|RS|COMMUNE|LITS",
        "CO_CNES|NO_FANTASIA|CO_MUNICIPIO|QT_LEITO",
        "სახელი|ქალაქი|რაიონი|ადგილი",
        "a|b|c|d",
    ],
)
def test_the_first_row_is_a_header_in_any_language(header: str) -> None:
    assert find_header(rows(header)) == Header(0, True)


def test_years_may_be_names_of_columns() -> None:
    table = [["name", "2019", "2020", "2021"], ["Oak", "5", "7", "1"], ["Elm", "2", "2", "3"]]
    assert find_header(table).present


def test_a_code_above_a_column_of_numbers_is_a_name() -> None:
    assert find_header(
        [["rsid", "A7", "CI_AC1"], ["HOP1", "12", "0"], ["HOP2", "40", "1"], ["HOP3", "0", "1"]]
    ).present


@pytest.mark.parametrize(
    "table",
    [
        ["G6V2|NORTH RIVER TRUST|Y56|4TH FLOOR|NW1 0PE", "R0A|SOUTH RIVER TRUST|Y62|COB HOUSE|M13 9WL"],
        ["1|Oak Hospital|Aveda|120", "2|Elm Hospital|Brusk|60"],
        ["A-001|General Hospital|12 Main Street|555-0101", "A-002|City Clinic|7 Hill Road|555-0102"],
        ["Oak Hospital|Northland|10.5|20.5", "Elm Hospital|Northland|11.5|21.5"],
        ["Oak Hospital|Public|Region North", "Elm Hospital|Public|Region South", "Ash|Private|Region North"],
        ["北河医院|三级|010-1234", "南山医院|二级|010-4321"],
    ],
)
def test_a_first_row_of_data_is_no_header(table: list[str]) -> None:
    found = find_header([line.split("|") for line in table])
    assert (found.row, found.present) == (0, False)


@pytest.mark.parametrize(
    ("titles", "row"),
    [
        ([], 0),
        (["List of hospitals, state of 1 March|||"], 1),
        (["|||", "List of hospitals|||", "|||"], 3),
        (["Ministry of Health", "List of hospitals, 2024", ""], 3),
        (["Ministry|||2024", "|||", "Total: 3"], 3),
        (["|Hospital||Capacity"], 1),
    ],
)
def test_rows_of_titles_are_above_the_header(titles: list[str], row: int) -> None:
    assert find_header(rows(*titles, "id|name|city|beds")) == Header(row, True)


def test_a_header_is_found_above_rows_that_know_little() -> None:
    table = [["List, 2024"], ["Ministry"], ["name", "address", "beds"], ["Oak Hospital", "", ""]]
    assert find_header(table) == Header(2, True)
    table = [["List, 2024"], ["Ministry"], ["Hospital", "Kind", "Beds"], ["Oak", "private", "12"]]
    assert find_header(table) == Header(2, True)


def test_no_row_is_skipped_where_there_is_no_header() -> None:
    table = [["", "Oak", "", "", ""], ["17", "Elm", "AB1", "5", "6"], ["18", "Ash", "AB2", "7", "8"]]
    assert find_header(table) == Header(0, False)


def test_what_the_user_says_takes_precedence() -> None:
    assert find_header(rows("id|name|city|beds"), present=False) == Header(0, False)
    assert find_header([["Oak", ""], ["Elm", "60"], ["Ash", "7"]], present=False) == Header(0, False)
    assert find_header(rows("x|y|z|w", "id|name|city|beds"), skip=1) == Header(1, True)
    assert find_header([["1", "2"], ["3", "4"]], present=True) == Header(0, True)


def test_a_list_without_rows_is_not_all_title() -> None:
    assert find_header([["name", "city"]]) == Header(0, True)
    assert find_header([["name"], ["A"], ["B"]]) == Header(0, True)
    assert find_header([]) == Header(0, True)


def test_blank_and_repeated_names_stay_apart() -> None:
    assert distinct(["a", "", "a", " a ", "column 2"]) == ["a", "column 2", "a (3)", "a (4)", "column 2 (5)"]
