"""Names that a program has cut at a number of characters are noted."""

from pathlib import Path

import pytest

from producers.files import HospitalFile

KINDS = ("Clinic", "District Hospital", "Regional Teaching Hospital", "Health Centre of the County")
NAMES = [f"Saint {saint} {kind}" for saint in ("Anne", "Bartholomew", "Clare", "Dominic", "Ed") for kind in KINDS]


def notes(folder: Path, names: list[str]) -> list[str]:
    path = folder / "list.csv"
    path.write_text("\n".join(["name,city", *(f"{name},Town {at}" for at, name in enumerate(names))]))
    return [note for note in HospitalFile.open(path).notes if "seem to be cut" in note]


def test_names_that_end_at_the_same_length_seem_to_be_cut(tmp_path: Path) -> None:
    (note,) = notes(tmp_path, [name[:30].strip() for name in NAMES])
    assert note.startswith("many names in name have exactly 30 characters, and none has more")


@pytest.mark.parametrize(
    "names",
    [
        NAMES,
        # Names by a pattern, and short ones.
        [f"Rural Health Centre No. {number:04}" for number in range(20)],
        [*(f"Clinic {number:02}" for number in range(14)), *(f"Clinic of Aveda {number}" for number in range(6))],
        [name[:30].strip() for name in NAMES[:4]],
    ],
)
def test_whole_names_do_not(tmp_path: Path, names: list[str]) -> None:
    assert notes(tmp_path, names) == []
