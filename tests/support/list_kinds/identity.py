"""Lists in which the identity of the hospitals is the difficulty."""

from tests.support.list_kinds.model import ONLY_LOCAL, Kind, row

_SAME_NAMES = (
    b"Hospital_Name,State,District,Pincode\n"
    b"Mercy Hospital,Estmark,Harl,310001\n"
    b"Mercy Hospital,Estmark,Joll,310002\n"
    b"Mercy Hospital,Vestmark,Kemp,420001\n"
    b"Palm Dental Clinic,Vestmark,Kemp,420001\n"
    b"Palm Dental Clinic,Estmark,Harl,310001\n"
)
_SAME_NAMES_APART = (
    row(
        2,
        "name:mercy hospital STATE estmark POSTAL_CODE 310001",
        "Mercy Hospital",
        state="Estmark",
        county="Harl",
        postal_code="310001",
    ),
    row(
        3,
        "name:mercy hospital STATE estmark POSTAL_CODE 310002",
        "Mercy Hospital",
        state="Estmark",
        county="Joll",
        postal_code="310002",
    ),
    row(
        4,
        "name:mercy hospital STATE vestmark POSTAL_CODE 420001",
        "Mercy Hospital",
        state="Vestmark",
        county="Kemp",
        postal_code="420001",
    ),
    row(
        5,
        "name:palm dental clinic STATE vestmark POSTAL_CODE 420001",
        "Palm Dental Clinic",
        state="Vestmark",
        county="Kemp",
        postal_code="420001",
    ),
    row(
        6,
        "name:palm dental clinic STATE estmark POSTAL_CODE 310001",
        "Palm Dental Clinic",
        state="Estmark",
        county="Harl",
        postal_code="310001",
    ),
)

_CODES = (
    b"FacilityCode,FacilityName,AddressLine1,Postcode\n"
    b"K310,Albert Hospital,Bridge Street,KL3 1AA\n"
    b"L420,Albert Hospital,Station Road,LM4 2BB\n"
    b"M530,Rowan Hospital,Castle Lane,MN5 3CC\n"
)
_TWO_HOSPITALS = b"name,city\nSaint Mark Hospital,Dorn\nRoyal Infirmary,Elst\n"


def _of_source(source: str) -> tuple[str, ...]:
    return (
        f"name:saint mark hospital SOURCE {source} CITY dorn",
        f"name:royal infirmary SOURCE {source} CITY elst",
    )


def _two_hospitals(source: str, after: Kind | None = None) -> Kind:
    first, second = _of_source(source)
    return Kind(
        name=f"05_two_sources_one_name, {source}",
        file=f"05-{source}.csv",
        content=_TWO_HOSPITALS,
        options=("--source", source),
        rows=(
            row(2, first, "Saint Mark Hospital", source=source, city="Dorn"),
            row(3, second, "Royal Infirmary", source=source, city="Elst"),
        ),
        notes=("--source is given, but no column was found that identifies the hospitals",),
        after=after,
    )


def _one_name_and_town(on_existing: str) -> Kind:
    first = "name:apollo clinic CITY agra"
    return Kind(
        name=f"two hospitals of one name and town, {on_existing}",
        file=f"one-town-{on_existing}.csv",
        content=(
            b"Hospital,Town,Beds,Telephone\n"
            b"Apollo Clinic,Agra,20,555-0001\n"
            b"Apollo Clinic,Agra,35,555-0002\n"
            b"City Hospital,Agra,50,555-0003\n"
        ),
        options=("--on-existing", on_existing),
        rows=(
            row(2, first, "Apollo Clinic", city="Agra", beds=20, phone="555-0001"),
            row(
                3,
                first,
                "Apollo Clinic",
                city="Agra",
                beds=35,
                phone="555-0002",
                fate="collision",
                other_line=2,
            ),
            row(4, "name:city hospital CITY agra", "City Hospital", city="Agra", beds=50, phone="555-0003"),
        ),
        code=1,
    )


IDENTITY = (
    Kind(
        name="03_same_name_other_town",
        file="03.csv",
        content=_SAME_NAMES,
        rows=_SAME_NAMES_APART,
    ),
    Kind(
        name="03_same_name_other_town, merged",
        file="03-merge.csv",
        content=_SAME_NAMES,
        options=("--on-existing", "merge", "--map", "postal_code=Pincode"),
        rows=_SAME_NAMES_APART,
    ),
    Kind(
        # The county is not part of an identity, so these are not known to be apart; they are never one.
        name="03_same_name_other_town, county alone",
        file="03-county.csv",
        content=(
            b"Hospital_Name,State,District\n"
            b"Mercy Hospital,Estmark,Harl\n"
            b"Mercy Hospital,Estmark,Joll\n"
            b"Mercy Hospital,Vestmark,Kemp\n"
        ),
        rows=(
            row(2, "name:mercy hospital STATE estmark", "Mercy Hospital", state="Estmark", county="Harl"),
            row(
                3,
                "name:mercy hospital STATE estmark",
                "Mercy Hospital",
                state="Estmark",
                county="Joll",
                fate="collision",
                other_line=2,
            ),
            row(4, "name:mercy hospital STATE vestmark", "Mercy Hospital", state="Vestmark", county="Kemp"),
        ),
        code=1,
    ),
    _one_name_and_town("keep"),
    _one_name_and_town("merge"),
    _one_name_and_town("replace"),
    Kind(
        name="04_identifier_not_recognised",
        file="04.csv",
        content=_CODES,
        options=("--source", "demo"),
        rows=tuple(
            row(
                line,
                f"demo:{code}",
                name,
                source="demo",
                external_id=code,
                address=address,
                postal_code=postal_code,
            )
            for line, code, name, address, postal_code in (
                (2, "K310", "Albert Hospital", "Bridge Street", "KL3 1AA"),
                (3, "L420", "Albert Hospital", "Station Road", "LM4 2BB"),
                (4, "M530", "Rowan Hospital", "Castle Lane", "MN5 3CC"),
            )
        ),
    ),
    Kind(
        name="04_identifier_not_recognised, no source",
        file="04-no-source.csv",
        content=_CODES,
        rows=tuple(
            row(
                line,
                f"name:{name.lower()} POSTAL_CODE {postal_code.lower()}",
                name,
                local_id=code,
                address=address,
                postal_code=postal_code,
            )
            for line, code, name, address, postal_code in (
                (2, "K310", "Albert Hospital", "Bridge Street", "KL3 1AA"),
                (3, "L420", "Albert Hospital", "Station Road", "LM4 2BB"),
                (4, "M530", "Rowan Hospital", "Castle Lane", "MN5 3CC"),
            )
        ),
        notes=(f"FacilityCode {ONLY_LOCAL}",),
    ),
    _two_hospitals("estmark"),
    _two_hospitals("vestmark", _two_hospitals("estmark")),
)
