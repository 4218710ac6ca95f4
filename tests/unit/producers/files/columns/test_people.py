"""In a list of people the hospital is where they work, not who they are."""

import pytest

from producers.files.columns import ColumnError
from tests.support.tables import choose, fields

PEOPLE = [
    ["Dupont", "Jean", "Head of ward", "Hôpital Nord", "Paris"],
    ["Martin", "Anne", "Nurse", "Clinique Sud", "Lyon"],
    ["Durand", "Paul", "Director", "Centre hospitalier Est", "Nice"],
    ["Petit", "Eve", "Head of ward", "Hôpital Nord", "Paris"],
]
HOSPITALS = [
    ["Hôpital Nord", "Jean", "Dupont", "1", "Paris"],
    ["Clinique Sud", "Anne", "Martin", "2", "Lyon"],
    ["Centre hospitalier Est", "Paul", "Durand", "3", "Nice"],
]


@pytest.mark.parametrize(
    "header",
    [
        "Nom,Prénom,Fonction,Établissement,Ville",
        "Name,Vorname,Funktion,Einrichtung,Ort",
        "Naam,Voornaam,Functie,Ziekenhuis,Plaats",
        "Name,First name,Title,Organization,City",
        "Namn,Förnamn,Befattning,Sjukhus,Ort",
        "Navn,Fornavn,Stilling,Sykehus,Sted",
        "Název,Jméno,Funkce,Nemocnice,Obec",
        "Név,Keresztnév,Beosztás,Kórház,Város",
        "Nome,Sobrenome,Cargo,Hospital,Cidade",
        "Nome,Cognome,Ruolo,Ospedale,Comune",
        "Ad,Soyad,Görev,Hastane,İl",
        "Nama,Nama Depan,Jabatan,Rumah Sakit,Kota",
        "Nombre,Tratamiento,Cargo,Institución,Ciudad",
        "Nom,Matricule,Poste,Structure,Ville",
    ],
)
def test_a_first_name_or_a_job_beside_a_name_shows_that_it_is_a_person(header: str) -> None:
    names = header.split(",")
    columns = choose(names, PEOPLE)
    assert fields(columns)["hospital_name"] == names[3]
    assert any(note.startswith(f"{names[0]} is the name of a person") for note in columns.notes)


def test_a_column_that_is_called_a_hospital_and_has_hospitals_wins() -> None:
    for hospital in ("Hôpital", "Klinik", "Clínica", "Spital", "Clinic"):
        columns = choose(["Nom", hospital, "Ville"], [[row[0], row[3], row[4]] for row in PEOPLE])
        assert fields(columns)["hospital_name"] == hospital
        assert any(note.startswith("Nom names no hospitals, and") for note in columns.notes)


def test_a_list_of_people_without_hospitals_is_refused() -> None:
    with pytest.raises(
        ColumnError, match="'Nom' is not used; if it is the name all the same: --map hospital_name=Nom"
    ):
        choose(["Nom", "Prénom", "Ville"], [[row[0], row[1], row[4]] for row in PEOPLE])


@pytest.mark.parametrize(
    "header",
    [
        "Name,First name,Last name,No,City",
        "Nom,Prénom,Nom de famille,Numéro,Ville",
        "Name,Position,Role,No,City",
        "Nombre,Nom,Name,No,Ciudad",
        "Nome,Título,Cargo,No,Cidade",
    ],
)
def test_the_names_of_hospitals_stay_beside_those_of_their_directors(header: str) -> None:
    names = header.split(",")
    columns = choose(names, HOSPITALS)
    assert fields(columns)["hospital_name"] == names[0]
    assert not any("person" in note for note in columns.notes)


@pytest.mark.parametrize(
    ("other", "cells"),
    [
        ("Klinik", ["General Hospital", "Clinic"] * 10),
        ("Kind of hospital", ["District Hospital", "Health Center", "Eye Clinic", "Clinic"] * 5),
        ("Role", ["acute", "community", "acute", "mental"] * 5),
    ],
)
def test_names_without_a_word_for_a_hospital_stay_beside_kinds_of_hospitals(other: str, cells: list[str]) -> None:
    columns = choose(
        ["Name", other, "City"], [[f"St. Mary {n}", cell, f"Town {n}"] for n, cell in enumerate(cells)]
    )
    assert fields(columns)["hospital_name"] == "Name"
