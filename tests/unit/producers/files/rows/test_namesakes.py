"""Rows of one name and place that differ in what is not read are not taken for one hospital."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from producers.files import FileWishes, HospitalFile
from producers.files.columns import ColumnWishes
from producers.files.import_files import write_import_files
from producers.import_chunks import chunks_of
from worker.contract.imports import ReportEntry

MOH = FileWishes(columns=ColumnWishes(source="moh"))
UNREADABLE = "x" * 201


def opened(text: str, folder: Path, wishes: FileWishes | None = None) -> HospitalFile:
    path = folder / "list.csv"
    path.write_text(text)
    return HospitalFile.open(path, wishes)


def rejected(file: HospitalFile) -> list[int]:
    return [row.line for row in file.rows() if row.known is None]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # What is not read: a ward, several columns, the year of a list that does not say it is one of observation.
        ("Hospital,City,Ward\nApollo,Agra,1\nApollo,Agra,2\nApollo,Pune,2\n", [3]),
        ("Hospital,City,Ward,Website\nApollo,Agra,1,a.in\nApollo,Agra,1,b.in\n", [3]),
        ("Hospital,City,Ward\nApollo,Agra,\nApollo,Agra,2\nApollo,Agra,\n", [3]),
        # Case and blanks make no difference, also in what is read.
        ("Hospital,City,Ward\nApollo,Agra,One\nAPOLLO,agra,one \n", []),
        ("Hospital,City,Ward\nApollo,Agra,One\nAPOLLO,agra,two\n", [3]),
        ("Hospital,City,Ward\nApollo,Agra,1\nApollo,Agra,1\n", []),
        # A cell that is left out.
        (f"Hospital,City\nApollo,{UNREADABLE}1\nApollo,\n", [3]),
        (f"Hospital,City\nApollo,{UNREADABLE}\nApollo,{UNREADABLE}\n", []),
        (f"Hospital,City\nApollo,{UNREADABLE}1\nApollo,{UNREADABLE}2\n", [3]),
        # A row that is read to know less.
        ("Hospital,City,Phone,Ward\nApollo,Agra,555-0001,1\nApollo,Agra,,2\n", [3]),
        ("Hospital,City,Phone,Ward\nApollo,Agra,,1\nApollo,Agra,555-0001,2\n", [3]),
        ("Hospital,City,Phone,Ward\nApollo,Agra,555-0001,1\nApollo,Agra,,1\n", []),
        # A worker tells these apart, and the third from the first, but not from the second.
        ("Hospital,City,Phone,Ward\nApollo,Agra,555-0001,1\nApollo,Agra,555-0002,2\n", []),
        (
            "Hospital,City,Phone,Ward\nApollo,Agra,555-0001,1\nApollo,Agra,555-0002,2\nApollo,Agra,555-0002,3\n",
            [4],
        ),
        ("Hospital,City,Address,Ward\nApollo,Agra,Road 1,1\nApollo,Agra,Road 2,2\n", []),
        ("Hospital,City,Latitude,Longitude,Ward\nApollo,Agra,27.1,78.1,1\nApollo,Agra,27.2,78.1,2\n", []),
        # Over time numbers and dates may change, but hardly a ward; a row without a time may be of any.
        ("Hospital,City,Last Updated,Ward\nApollo,Agra,2025-01-01,One\nApollo,Agra,2025-02-01,Two\n", [3]),
        ("Hospital,City,Last Updated,Ward\nApollo,Agra,2025-01-01,One\nApollo,Agra,2025-02-01,One\n", []),
        ("Hospital,City,Last Updated,Cases\nApollo,Agra,2025-01-01,1\nApollo,Agra,,2\n", [3]),
        (
            f"Hospital,City,Last Updated\nApollo,{UNREADABLE}1,2025-01-01\nApollo,{UNREADABLE}2,2025-02-01\n",
            [3],
        ),
        ("Hospital,City,Last Updated,Cases\nApollo,Agra,2025-01-01,1\nApollo,Agra,2025-02-01,2\n", []),
        ("Hospital,City,Last Updated,Cases\nApollo,Agra,2025-01-01,1\nApollo,Agra,2025-01-01,2\n", [3]),
    ],
)
def test_a_row_that_may_be_another_hospital_is_not_applied(text: str, expected: list[int], tmp_path: Path) -> None:
    file = opened(text, tmp_path)
    assert rejected(file) == expected
    # Whoever continues an import finds the same.
    assert rejected(file) == expected


def test_rows_of_an_identifier_are_not_compared(tmp_path: Path) -> None:
    file = opened("Facility Code,Hospital,City,Ward\nA1,Apollo,Agra,1\nA2,Apollo,Agra,2\n", tmp_path, MOH)
    assert rejected(file) == []


def test_all_rows_are_compared_in_whatever_chunk(tmp_path: Path) -> None:
    rows = [f"Hospital {number % 3_000},Agra,{number // 3_000}" for number in range(6_001)]
    file = opened("Hospital,City,Ward\n" + "\n".join(rows) + "\n", tmp_path)
    assert [len(chunk.records) for chunk in chunks_of(file)] == [1_000] * 3 + [0] * 4
    assert rejected(file) == list(range(3_002, 6_003))


@pytest.mark.parametrize(
    ("column", "phrases"),
    [
        ("Ward", ["first line 3 with 2", "Ward (1)", '--map external_id="Hospital + Ward" --source NAME']),
        ("S.No", ["S.No (1)", "only numbers the rows, so they are probably repetitions"]),
    ],
)
def test_what_differs_and_what_to_do_is_said(column: str, phrases: list[str], tmp_path: Path) -> None:
    file = opened(f"Hospital,City,{column}\nApollo,Agra,1\nApollo,Agra,2\n", tmp_path)
    reasons = [row.reasons for row in file.rows()]
    assert reasons[0] == ()
    (reason,) = reasons[1]
    assert reason.startswith("collision: line 2 has the same name and place")
    assert reason.endswith(f"differs in what is not read: {column}")
    (note,) = [note for note in file.notes if "in what is not read" in note]
    assert [phrase for phrase in phrases if phrase not in note] == []


async def test_rows_to_correct_stay_apart_until_they_have_another_identity(tmp_path: Path) -> None:
    file = opened("Hospital,City,Ward\nApollo,Agra,1\nApollo,Agra,2\nApollo,Agra,3\n", tmp_path)

    async def entries() -> AsyncIterator[ReportEntry]:
        for row in file.rows():
            if row.known is None:
                yield ReportEntry(line=row.line, status="rejected", reasons=list(row.reasons))

    rejects = (await write_import_files(file, entries(), tmp_path / "import")).rejects
    assert rejects is not None
    assert rejected(HospitalFile.open(rejects)) == [2, 3]
    wishes = ColumnWishes(mapping={"external_id": "Hospital + Ward"}, source="moh")
    assert rejected(HospitalFile.open(rejects, FileWishes(columns=wishes))) == []
    rejects.write_text(rejects.read_text().replace("Apollo,Agra,2", "Apollo Ward 2,Agra,2"))
    corrected = HospitalFile.open(rejects)
    assert rejected(corrected) == [3]
    assert all(chunk.collided for chunk in chunks_of(corrected))


@pytest.mark.parametrize(
    ("text", "noted"),
    [
        ("Hospital Name\nMercy Hospital\nACMH Hospital\nMercy Hospital\n", "1, first line 4 with 2"),
        ("Hospital\nApollo\napollo \nCare\nApollo\n", "2, first line 3 with 2"),
        ("病院名\n中央病院\n東病院\n中央病院\n", "1, first line 4 with 2"),
        ("Krankenhaus;Betten\nSt. Josef;100\nMarienhaus;90\nSt. Josef;100\n", "1, first line 4 with 2"),
        # The same telephone may be that of a central office.
        ("Hospital,Phone\nApollo,555-0001\nCare,555-0002\nApollo,555-0001\n", "1, first line 4 with 2"),
        # Different names, the same place, another number of beds, a code.
        ("Hospital Name\nMercy Hospital\nACMH Hospital\n", ""),
        ("Hospital,City\nApollo,Agra\nCare,Agra\nApollo,Agra\n", ""),
        ("Krankenhaus;Betten\nSt. Josef;100\nMarienhaus;90\nSt. Josef;80\n", ""),
    ],
)
def test_names_that_repeat_in_a_list_of_names_are_noted(text: str, noted: str, tmp_path: Path) -> None:
    file = opened(text, tmp_path)
    assert rejected(file) == []
    found = [note for note in file.notes if note.startswith("rows that have only a name")]
    assert [noted in note for note in found] == ([True] if noted else [])


@pytest.mark.parametrize(
    ("text", "noted"),
    [
        (
            "Name,City,Plot No,Last updated\nClinic,Aveda,31,2024-01-05\nClinic,Aveda,57,2024-02-07\n",
            "1, first line 3 with 2",
        ),
        (
            "Hospital,City,Last Updated,Cases\nA Clinic,Agra,2025-01-01,1\nA Clinic,Agra,2025-02-01,2\n",
            "1, first line 3 with 2",
        ),
        ("Hospital,City,Last Updated,Cases\nApollo,Agra,2025-01-01,1\nApollo,Agra,2025-02-01,1\n", ""),
        ("Hospital,City,Last Updated\nApollo,Agra,2025-01-01\nApollo,Agra,2025-02-01\n", ""),
    ],
)
def test_rows_that_are_taken_for_later_ones_of_a_hospital_are_noted(text: str, noted: str, tmp_path: Path) -> None:
    file = opened(text, tmp_path)
    assert rejected(file) == []
    found = [note for note in file.notes if "at another time" in note]
    assert [noted in note for note in found] == ([True] if noted else [])
