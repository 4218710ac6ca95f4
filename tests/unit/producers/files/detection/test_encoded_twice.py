"""Text that was encoded as UTF-8 twice is refused, or noted if it is only a part of the text."""

import pytest

from producers.files import FileError
from tests.unit.producers.files.detection.test_encodings import detect, text

LANGUAGES = ["Spanish", "French", "German", "Polish", "Russian", "Greek", "Chinese", "Japanese"]
RIGHT = {
    "Portuguese capitals": "nome;cidade\nSANTA CASA DE SÃO JOSÉ;GOIÂNIA\nHOSPITAL Ã;CONCEIÇÃO\n",
    "signs behind capitals": "name,town\nCAFÉ® CLINIC,Aveda\nOak,Aveda\n",
    "Vietnamese": "ten;tinh\nBệnh viện Đà Nẵng;Đà Nẵng\nBệnh viện Bãi Cháy;Hạ Long\n",
    "one accent": "nom;ville\nHôpital;Lyon\n",
    "quotes": "nom;ville\nHôpital « Élysée » \u2013 l\u2019Été;Lyon\n",
    "degrees": "name;pos\nOak Â;51°30'\n",
}


def twice(content: str, between: str) -> bytes:
    """As programs do that read cp1252, which has no character for some bytes, or Latin-1."""
    return b"".join((bytes((byte,)).decode(between, "ignore") or chr(byte)).encode() for byte in content.encode())


@pytest.mark.parametrize("between", ["latin-1", "cp1252"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_text_that_was_encoded_twice_is_refused(language: str, between: str) -> None:
    with pytest.raises(FileError, match="was encoded as UTF-8 twice"):
        detect(twice(text(language, 20), between))


@pytest.mark.parametrize(
    ("word", "command"), [("Clínica", "-t LATIN1"), ("Málaga", "-t LATIN1"), ("Łódź \u2013 “Świt”", "-t CP1252")]
)
def test_a_word_is_enough_and_the_message_says_what_to_do(word: str, command: str) -> None:
    content = f"id,name\n1,{word}\n2,Oak Clinic\n"
    with pytest.raises(FileError, match=f"iconv -f UTF-8 {command} list.csv"):
        detect(twice(content, "cp1252"))
    assert detect(twice(content, "cp1252"), "utf-8").name == "utf-8"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_part_that_was_encoded_twice_is_noted(language: str) -> None:
    found = detect(text(language, 20).encode() + twice(text("French", 10, 20), "cp1252"))
    assert found.name == "utf-8"
    assert "was encoded twice before and is read as it is" in found.remark


@pytest.mark.parametrize("word", ["Miniyeh\u2013Danniyeh", "St. Ann\u2019s", "Oak … Elm"])
def test_a_list_of_which_only_dashes_and_quotes_are_broken_is_noted(word: str) -> None:
    found = detect(twice(f"id,name\n1,{word}\n2,Oak Clinic\n", "latin-1"))
    assert "was encoded twice before and is read as it is" in found.remark


@pytest.mark.parametrize("content", [*RIGHT.values(), *(text(it, 20) for it in LANGUAGES)])
def test_other_text_is_not_taken_for_it(content: str) -> None:
    assert detect(content.encode()).remark == ""
