"""A first line that may be a hospital, and a table on its side, are refused instead of read by halves."""

from pathlib import Path

import pytest

from producers.files import FileError, HospitalFile


def opened(folder: Path, text: str) -> HospitalFile:
    path = folder / "list.csv"
    path.write_text(text)
    return HospitalFile.open(path)


@pytest.mark.parametrize(
    "text",
    [
        "Clinic A,Rome\nMercy Hospital,Milan\nSt. Luke Hospital,Turin\n",
        "The Clinic,Leeds,LS1 1AA\nMercy Hospital,York,YO1 2BB\nNord Hospital,Hull,HU1 1AA\n",
        "The Hospital,London\nThe Clinic,Leeds\nThe Home,York\n",
        "Clinic,Rome,12\nClinic Bora,Milan,13\nClinic C,Turin,15\n",
        "Facility A,Rome\nFacility B,Milan\nFacility C,Turin\n",
        "Clinic A\nClinic B\nClinic C\n",
        "La Clinica,Roma\nOspedale X,Milano\nOspedale Y,Torino\n",
    ],
)
def test_a_first_line_that_may_be_a_hospital_is_not_lost(tmp_path: Path, text: str) -> None:
    with pytest.raises(
        FileError, match=r"first line may be a hospital.*--no-header --map hospital_name=1; if it is the"
    ):
        opened(tmp_path, text)


@pytest.mark.parametrize(
    "text",
    [
        "Hospital,City\nMercy,Rome\nNord,Pisa\n",
        "Hospital,Rating\nMercy Hospital,A\nNord Hospital,B\n",
        "Hospital Name 1,Other\nMercy Hospital,A\nNord Hospital,B\n",
        "Clinic A,City\nMercy Hospital,Rome\nNord Hospital,Pisa\n",
        "Hospital,2019,2020\nMercy Hospital,12,13\nNord Hospital,15,16\n",
        "Clinic\nMercy\nNord\n",
    ],
)
def test_a_header_with_one_known_name_is_one(tmp_path: Path, text: str) -> None:
    assert len([row for row in opened(tmp_path, text).rows() if row.known]) == 2


@pytest.mark.parametrize(
    "text",
    [
        "Hospital,Clinic A,Clinic B,Clinic C\nCity,Rome,Milan,Turin\nBeds,12,30,31\nPhone,06 11,02 22,011 33\n",
        "Nom de l'hôpital;Clinique A;Clinique B\nVille;Lyon;Metz\nLits;12;14\nTéléphone;01 11;02 22\n",
        "Krankenhaus;Klinik A;Klinik B\nOrt;Bern;Thun\nBetten;12;14\nTelefon;01 11;02 22\n",
        "Hospital;Clínica A;Clínica B\nCiudad;Lima;Ica\nCamas;12;14\nDirección;Calle 1;Calle 2\n",
        "Name,Hospital A,Hospital B\nAddress,Hill 1,Hill 2\nPostcode,LS1 1AA,YO1 2BB\n",
    ],
)
def test_a_table_on_its_side_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(FileError, match="lies on its side; turn it"):
        opened(tmp_path, text)
