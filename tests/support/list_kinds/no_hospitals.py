"""Lists with rows that are not hospitals or whose cells are shifted, and lists of something else."""

from tests.support.list_kinds.model import Kind, Row, row

_HEADER = b"code,name,city,beds\n"
_TWO = b"K1,Larch Hospital,Dorn,12\nK2,Hazel Hospital,Elst,20\n"
_LAST = b"K4,Alder Hospital,Varn,33\n"
_LOADED = (
    ("K1", "Larch Hospital", "Dorn", 12),
    ("K2", "Hazel Hospital", "Elst", 20),
    ("K4", "Alder Hospital", "Varn", 33),
)


def _rows(*lines: int) -> tuple[Row, ...]:
    return tuple(
        row(line, f"moh:{code}", name, source="moh", external_id=code, city=city, beds=beds)
        for line, (code, name, city, beds) in zip(lines, _LOADED, strict=True)
    )


NO_HOSPITALS = (
    Kind(
        name="41_shifted_cells",
        file="41.csv",
        content=_HEADER + _TWO + b"K3,Ash Hospital, East Wing,Varn,\n" + _LAST,
        options=("--source", "moh"),
        rows=tuple(sorted((*_rows(2, 3, 5), Row(line=4, stored={}, fate="rejected")), key=lambda it: it.line)),
        code=1,
    ),
    Kind(
        name="42_unknown_total",
        file="42.csv",
        content=_HEADER + _TWO + _LAST + b",Zusumma,,65\n",
        options=("--source", "moh"),
        rows=(*_rows(2, 3, 4), Row(line=5, stored={}, fate="rejected")),
        code=1,
    ),
    Kind(
        name="43_statistics_of_countries",
        file="43.csv",
        content=b"label,total\nGhana,120\nKenya,340\nPeru,95\n",
        refusal=(
            "label seems to have the names of countries (first: Ghana)",
            "if they are hospitals: --map hospital_name=label",
        ),
        code=2,
    ),
    Kind(
        # The totals lack nothing that the hospitals have.
        name="44_totals_beside_their_area",
        file="44.csv",
        content=(
            b"city,name,beds\nDorn,Larch Hospital,12\nDorn,Hazel Hospital,20\nDorn,TOTAL DORN,32\n"
            b"Varn,Alder Hospital,33\nVarn,TOTAL VARN,33\n"
        ),
        rows=(
            row(2, "name:larch hospital CITY dorn", "Larch Hospital", city="Dorn", beds=12),
            row(3, "name:hazel hospital CITY dorn", "Hazel Hospital", city="Dorn", beds=20),
            Row(line=4, stored={}, fate="rejected"),
            row(5, "name:alder hospital CITY varn", "Alder Hospital", city="Varn", beds=33),
            Row(line=6, stored={}, fate="rejected"),
        ),
        code=1,
    ),
    Kind(
        name="45_closed_and_office",
        file="45.csv",
        content=_HEADER + b"K1,Larch Hospital (closed 2017),Dorn,12\nK2,Ministry of Health,Elst,20\n" + _LAST,
        options=("--source", "moh"),
        rows=tuple(
            row(line, f"moh:{code}", name, source="moh", external_id=code, city=city, beds=beds)
            for line, code, name, city, beds in (
                (2, "K1", "Larch Hospital (closed 2017)", "Dorn", 12),
                (3, "K2", "Ministry of Health", "Elst", 20),
                (4, "K4", "Alder Hospital", "Varn", 33),
            )
        ),
        notes=("1 row is called like an office of an administration", "1 row is called closed"),
    ),
    Kind(
        name="47_unknown_totals_beside_their_area",
        file="47.csv",
        content=(
            b"city,name,beds,doctors\nDorn,Larch Hospital,112,20\nDorn,Hazel Hospital,120,31\nDorn,Zusumma,232,51\n"
            b"Varn,Alder Hospital,33,9\n"
        ),
        rows=(
            row(2, "name:larch hospital CITY dorn", "Larch Hospital", city="Dorn", beds=112),
            row(3, "name:hazel hospital CITY dorn", "Hazel Hospital", city="Dorn", beds=120),
            Row(line=4, stored={}, fate="rejected"),
            row(5, "name:alder hospital CITY varn", "Alder Hospital", city="Varn", beds=33),
        ),
        columns_left_out=("doctors",),
        code=1,
    ),
    Kind(
        # One number may be a coincidence.
        name="48_what_may_be_a_total",
        file="48.csv",
        content=(
            b"city,name,beds\nDorn,Larch Hospital,112\nDorn,Hazel Hospital,120\nDorn,Zusumma Dorn,232\n"
            b"Varn,Alder Hospital,33\n"
        ),
        rows=(
            row(2, "name:larch hospital CITY dorn", "Larch Hospital", city="Dorn", beds=112),
            row(3, "name:hazel hospital CITY dorn", "Hazel Hospital", city="Dorn", beds=120),
            row(4, "name:zusumma dorn CITY dorn", "Zusumma Dorn", city="Dorn", beds=232),
            row(5, "name:alder hospital CITY varn", "Alder Hospital", city="Varn", beds=33),
        ),
        notes=("1 row is loaded as a hospital and may be a total of the rows above",),
    ),
)
