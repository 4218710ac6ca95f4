"""The encoding of an earlier delivery decides, unless only one of the two deliveries is Unicode."""

import codecs
from pathlib import Path

import pytest

from producers.files import FileError, FileWishes, HospitalFile
from producers.files.profile import parse_profile, profile_text
from producers.files.table import Wishes
from tests.unit.producers.files.detection.test_encodings import detect, text

ONE = "nom;ville\nCLINIQUE DU PARC 1;Orl\u00e9ans\nCLINIQUE DU PARC 2;LYON\n"
ASCII = "nom;ville\nCLINIQUE DU PARC;LYON\n"
FRENCH, RUSSIAN, CHINESE = text("French", 20), text("Russian", 20), text("Chinese", 20)


@pytest.mark.parametrize(
    ("usual", "content", "encoding", "expected"),
    [
        ("cp1252", FRENCH, "utf-8", "utf-8"),
        ("cp1252", FRENCH, "utf-8-sig", "utf-8"),
        ("cp1252", ONE, "utf-8", "utf-8"),
        ("cp1252", ONE, "utf-8-sig", "utf-8"),
        ("cp1252", ASCII, "utf-8-sig", "utf-8"),
        ("cp1252", FRENCH, "utf-16", "utf-16"),
        ("cp1251", RUSSIAN, "utf-8", "utf-8"),
        ("gb18030", CHINESE, "utf-8", "utf-8"),
        ("utf-8", FRENCH, "cp1252", "cp1252"),
        ("utf-8", RUSSIAN, "cp1251", "cp1251"),
        ("utf-8", FRENCH, "utf-16", "utf-16"),
        ("utf-16", FRENCH, "utf-8", "utf-8"),
        ("utf-16", ASCII, "ascii", "utf-8"),
        # Of one kind: the earlier list had more to tell which one it is.
        ("cp1252", ONE, "cp1252", "cp1252"),
        ("iso8859_15", FRENCH, "cp1252", "iso8859_15"),
        ("cp1252", ASCII, "ascii", "cp1252"),
        ("cp850", ASCII, "ascii", "cp850"),
        ("utf-8", ASCII, "ascii", "utf-8"),
        ("utf-8", FRENCH, "utf-8", "utf-8"),
        ("gb18030", CHINESE, "gb18030", "gb18030"),
    ],
)
def test_unicode_is_seen_and_of_other_encodings_the_usual_one_is_kept(
    usual: str, content: str, encoding: str, expected: str
) -> None:
    assert detect(content.encode(encoding), usual=usual).name == expected


def test_utf8_is_not_forced_on_a_text_that_is_in_doubt() -> None:
    with pytest.raises(FileError, match="its encoding is not certain"):
        detect("id,name\n1,\u00d1and\u00fa\n".encode("cp1252"), usual="utf-8")


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
def test_a_delivery_in_another_encoding_says_so(tmp_path: Path, mark: bytes) -> None:
    before, now = tmp_path / "before.csv", tmp_path / "now.csv"
    before.write_bytes(ONE.encode("cp1252"))
    now.write_bytes(mark + ONE.encode())
    first = HospitalFile.open(before, FileWishes(reading=Wishes(encoding="cp1252")))
    profile = parse_profile(profile_text(first.profile), before)
    file = HospitalFile.open(now, FileWishes().by_profile(profile))
    assert "the encoding was cp1252 and is utf-8 now" in file.notes
    assert next(file.rows()).known == {"hospital_name": "CLINIQUE DU PARC 1", "city": "Orl\u00e9ans"}
    assert not any(
        "encoding was" in note for note in HospitalFile.open(before, FileWishes().by_profile(profile)).notes
    )
    # What the person says now is done.
    said = HospitalFile.open(now, FileWishes(reading=Wishes(encoding="cp1252")))
    assert "it is valid UTF-8, but read as cp1252, as you have said" in said.notes
