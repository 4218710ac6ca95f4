import pytest

from producers.files.detection.delimiters import Marks, find_marks

ROWS = [["id", "name", "city"], ["1", "Oak Hospital", "Aveda"], ["2", "Elm Hospital", "Brusk"]]


def joined(mark: str, rows: list[list[str]] = ROWS) -> list[str]:
    return [mark.join(row) + "\n" for row in rows]


@pytest.mark.parametrize("mark", [",", ";", "\t", "|", "¬", "^", "~", "§", "¦", "\x1f", "\x01"])
def test_the_delimiter_is_detected(mark: str) -> None:
    assert find_marks(joined(mark)).delimiter == mark


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_delimiters_inside_quotes_do_not_count(mark: str) -> None:
    assert find_marks([f'"a,;|\t,;|\t"{mark}b\n', f"1{mark}2\n"]).delimiter == mark


@pytest.mark.parametrize(
    ("lines", "delimiter"),
    [
        (["id;lat;lon\n", "1;10,5;20,5\n", "2;11,5;21,5\n"], ";"),
        (["Oak;10,5;20,5\n", "Elm;11,5;21,5\n"], ";"),
        (["Oak¬10,5¬20,5\n", "Elm¬11,5¬21,5\n"], "¬"),
        (['"Oak, North"¬"(10.5, 20.5)"\n', '"Elm, South"¬"(11.5, 21.5)"\n'], "¬"),
        (["Oak, 2024^^\n", "name^city^place\n"] + ["Elm^Aveda^(1.5, 2.5)\n"] * 9, "^"),
        (["Oak^Aveda^1,5; 2,5\n", "Elm^Brusk^2,5; 3,5\n"], "^"),
        (["1,2,3\n", "4,5,6\n"], ","),
        (["id\tname\taddress\n", "1\tA\tx, y, z\n", "2\tB\tu, v\n"], "\t"),
        (["name;address\n", "A;1, B Street, C\n", "B;2, C Street, D\n"], ";"),
        (["name,note\n", "A,x;y;z\n", "B,u;v;w\n"], ","),
        (["List of hospitals\n", "\n", "id;name;city\n", "1;A;x\n", "2;B;y\n"], ";"),
        (["name,city\n", "A,x\n", 'B,"y, z"\n', "C\n", "D,e,f\n"], ","),
        (["name\n", "Oak Hospital, Aveda\n", "Elm Hospital, Brusk\n"], ","),
        (["name\n", "A\n", "B\n"], ","),
        (["Ministry of Health\n", "id^name^city\n", "1^A^x\n", "2^B^y\n"], "^"),
        (["Hospitals, by region\n", "id;name;at\n", "1;A;x, y\n", "2;B;u, v\n"], ";"),
        (["id;name;city\n", "1;A;x\n", "2;B;y\n", "3;C;z\n", "Source: Ministry, 2024\n"], ";"),
        (["name|city\n", "A|x\n"], "|"),
        (["Clinics, 2024\n", "Aveda\n", "name¬lat¬lon\n", "A¬1,5¬2,5\n", "B¬3,5¬4,5\n"], "¬"),
        (["Clinics\n", "name¬lat¬lon\n", "A¬1,5¬2,5\n", "B¬3,5¬4,5\n"], "¬"),
        (["name,waits,seen\n", "1,A,4:42:22,3:02:23\n", "2,B,1:10:05,2:00:41\n"], ","),
        ([], ","),
    ],
)
def test_the_delimiter_is_what_stands_equally_often_in_the_lines(lines: list[str], delimiter: str) -> None:
    assert find_marks(lines).delimiter == delimiter


def test_commas_in_the_addresses_of_a_list_of_one_column_are_no_delimiter() -> None:
    marks = find_marks(["name and town of the hospital\n"] + ["Oak Hospital, Aveda\n"] * 5)
    assert marks.delimiter == ","


@pytest.mark.parametrize("line", ["sep=;\n", "SEP=;\r\n", '"sep=;"\n', "sep=;,,\n"])
def test_the_line_of_excel_names_the_delimiter(line: str) -> None:
    assert find_marks([line, "a;b\n", "1;2\n"]) == Marks(";", named=True)


def test_the_line_of_excel_may_name_a_tab() -> None:
    assert find_marks(["sep=\t\n", "a\tb\n", "1\t2\n"]) == Marks("\t", named=True)


def test_what_the_user_says_takes_precedence() -> None:
    assert find_marks(joined(","), "n").delimiter == "n"


def test_single_quotes_around_the_cells_are_quotes() -> None:
    assert find_marks(["'id','name'\n", "'1','Oak, North'\n", "'2','Elm'\n"]) == Marks(",", quote="'")


def test_an_apostrophe_is_no_quote() -> None:
    assert find_marks(["id,name\n", "1,'s Gravenhage\n", "2,St Mary's\n"]).quote == '"'


def test_quotes_escaped_by_back_slashes_are_found() -> None:
    marks = find_marks(['"id","name"\n', '"1","The \\"Oak\\", North"\n', '"2","Elm"\n'])
    assert marks == Marks(",", escape="\\")


def test_a_back_slash_is_not_always_an_escape() -> None:
    assert find_marks(["id,name\n", "1,A\\B\n", '2,"C ""D"" \\"\n']).escape == ""
