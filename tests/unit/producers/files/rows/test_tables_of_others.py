"""A table of pharmacies, laboratories or doctors below the hospitals is not one of hospitals."""

from pathlib import Path

import pytest

from producers.files import HospitalFile

HEADER = "Code,Hospital,Address,City,Beds"
ROWS = "".join(f"H{n},Mercy {n},Hill {n},Town {n},{n + 10}\n" for n in range(20))


@pytest.mark.parametrize(
    "below",
    [
        "Code,Pharmacy,Owner,City,Phone\nL1,Bio,Mr A,Rome,06 1\nL2,Path,Mr B,Rome,06 2\n",
        "Code,Laboratory,Address,City,Phone\nL1,Bio Lab,Hill 1,Rome,06 1\nL2,Path,Hill 2,Rome,06 2\n",
        "Code,Doctor,City,Phone,Patients\nD1,Smith,Rome,06 1,2\nD2,Jones,Rome,06 2,3\n",
        "Código,Farmacia,Dirección,Ciudad,Teléfono\nL1,Bio,Calle 1,Lima,06 1\nL2,Path,Calle 2,Lima,06 2\n",
        "Code,Apotheke,Adresse,Ort,Telefon\nL1,Bio,Weg 1,Bern,06 1\nL2,Path,Weg 2,Bern,06 2\n",
    ],
)
def test_another_table_is_rejected_with_its_header(tmp_path: Path, below: str) -> None:
    path = tmp_path / "list.csv"
    path.write_text(f"{HEADER}\n{ROWS}{below}")
    rows = list(HospitalFile.open(path).rows())
    assert [row.known is not None for row in rows] == [True] * 20 + [False] * 3


@pytest.mark.parametrize("row", ["H99,Laboratory,Hill 9,Rome,12", "H99,Pharmacy Clinic,Hill 9,City,12"])
def test_a_hospital_that_is_called_so_is_loaded(tmp_path: Path, row: str) -> None:
    path = tmp_path / "list.csv"
    path.write_text(f"{HEADER}\n{ROWS}{row}\n")
    assert all(row.known is not None for row in HospitalFile.open(path).rows())


@pytest.mark.parametrize(
    ("text", "beds"),
    [
        (
            "Hospital,City,Beds,,Phone\nName,,Public,Private,\nClinic A,Rome,10,20,06 1\nClinic B,Pisa,5,7,06 2\n",
            None,
        ),
        (
            """Hospital,City,Beds,,,Phone
Name,Town,Men,Women,Children,Number
Clinic A,Rome,10,20,3,06 1
Clinic B,Pisa,5,7,4,06 2
""",
            None,
        ),
        (
            "Hospital,City,Beds,,Phone\nName,,Private,Total,\nClinic A,Rome,10,30,06 1\nClinic B,Pisa,5,12,06 2\n",
            30,
        ),
        ("Hospital,City,Beds,Note,Phone\nClinic A,Rome,10,x,06 1\nClinic B,Pisa,5,y,06 2\n", 10),
    ],
)
def test_names_in_two_rows_are_joined_also_where_a_column_has_both(
    tmp_path: Path, text: str, beds: int | None
) -> None:
    path = tmp_path / "list.csv"
    path.write_text(text)
    known = [row.known for row in HospitalFile.open(path).rows() if row.known is not None]
    assert [(it["hospital_name"], it.get("beds")) for it in known[:1]] == [("Clinic A", beds)]
    assert len(known) == 2
