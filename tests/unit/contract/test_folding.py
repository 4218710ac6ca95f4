"""Names that are written otherwise are folded alike, and other names are not."""

import pytest

from worker.contract.folding import name_key, spellings


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Oak Hospital", "OAK  hospital"),
        ("St Mary's", "St. Mary\u2019s"),
        ("A-Nord", "A \u2013 Nord"),
        ("Klinik \u00abX\u00bb", 'Klinik "X"'),
        ("O'Connor", "O Connor"),
        ("Mother & Child Clinic", "Mother and Child Clinic"),
        ("Madre e Hijo", "Madre & Hijo"),
        ("Hôpital Général", "HOPITAL GENERAL"),
        ("Νοσοκομείο Ρόδου", "ΝΟΣΟΚΟΜΕΙΟ ΡΟΔΟΥ"),
        ("Королёв ЦРБ", "КОРОЛЕВ ЦРБ"),
        ("Szpital Łódź", "Szpital Lodz"),
        ("Kırıkkale Hastanesi", "KIRIKKALE HASTANESİ"),  # noqa: RUF001  # is about them
        ("مستشفى علي", "مستشفي على"),
        ("بیمارستان کودکان", "بيمارستان كودكان"),
    ],
)
def test_what_is_written_otherwise_is_equal(one: str, other: str) -> None:
    assert name_key(one) == name_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Clinic 12", "Clinic 1-2"),
        ("Clinic 1", "Clinic 11"),
        ("Clinic A", "Clinic"),
        ("Clinic A", "Clinic E"),
        # The vowels of Indian scripts and Japanese voicing are letters.
        ("किरण", "करण"),
        ("がん病院", "かん病院"),
        ("***", "---"),
        ("Больница и дом", "Больница дом 2"),
    ],
)
def test_another_name_is_not(one: str, other: str) -> None:
    assert name_key(one) != name_key(other)


def test_a_name_is_asked_for_in_few_forms() -> None:
    assert spellings("Oak Hospital") == {"Oak Hospital"}
    assert len(spellings("مستشفى علي في حي بني علي " * 20)) <= 20
    assert {"Kırıkkale", "KIRIKKALE"} <= spellings("Kırıkkale")  # noqa: RUF001  # is about them
