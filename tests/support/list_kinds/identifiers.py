"""Lists whose column of identifiers has values that identify nothing."""

from tests.support.list_kinds.model import ONLY_LOCAL, Kind, row

_PLACEHOLDERS = (
    b"code,name,city\n"
    b"0,Posto do Sol,Faro Novo\n"
    b"0,Posto da Lua,Beira\n"
    b"0,Posto do Mar,Ponta\n"
    b"7731002,Hospital da Serra,Beira\n"
    b"None,Clinica Azul,Faro Novo\n"
    b"None,Clinica Verde,Ponta\n"
)

_REPEATED = (
    b"id,hospital_name,city,country\n"
    b"51,Bergklinik,Dorn,Orland\n"
    b"51,Clinica del Lago,Elst,Perland\n"
    b"52,Talklinik,Fahr,Orland\n"
    b"52,Talklinik,Fahr,Orland\n"
)

_TEXT_AS_SOURCE = (
    b"ID,NAME,CITY,STATE,SOURCE,BEDS\n"
    b"501,Red Cedar Hospital,Dorn,WA,http://lists.example/all.html,75\n"
    b"502,West Bay Hospital,Elst,WA,http://lists.example/all.html,210\n"
    b"503,Sandy Creek Hospital,Fahr,OR,County Health Office,33\n"
)

_ONE_NAME_AND_TOWN = b"Hospital Name,%s,Town\nSt Mary,A1001,Dorn\nSt Mary,A1002,Dorn\nRed Cedar,A1003,Elst\n"

IDENTIFIERS = (
    Kind(
        name="licence_numbers",
        file="licences.csv",
        content=_ONE_NAME_AND_TOWN % b"Licence No.",
        options=("--source", "demo"),
        rows=tuple(
            row(line, f"demo:{code}", name, source="demo", external_id=code, city=city)
            for line, name, code, city in (
                (2, "St Mary", "A1001", "Dorn"),
                (3, "St Mary", "A1002", "Dorn"),
                (4, "Red Cedar", "A1003", "Elst"),
            )
        ),
    ),
    Kind(
        name="licence_numbers, under a name that is not known",
        file="licences-unknown.csv",
        content=_ONE_NAME_AND_TOWN % b"Kenning",
        options=("--source", "demo"),
        rows=(
            row(
                2,
                "name:st mary SOURCE demo CITY dorn",
                "St Mary",
                source="demo",
                local_id="A1001",
                city="Dorn",
            ),
            row(
                3,
                "name:st mary SOURCE demo CITY dorn",
                "St Mary",
                source="demo",
                local_id="A1002",
                city="Dorn",
                fate="collision",
                other_line=2,
            ),
            row(
                4,
                "name:red cedar SOURCE demo CITY elst",
                "Red Cedar",
                source="demo",
                local_id="A1003",
                city="Elst",
            ),
        ),
        notes=(
            "no column was found that identifies the hospitals",
            "Until then Kenning only tells hospitals of one name and place apart",
        ),
        code=1,
    ),
    Kind(
        name="one_row",
        file="one.csv",
        content=b"Facility Name;Facility ID;City;beds\nRed Cedar;1;Elst;66\n",
        options=("--source", "demo"),
        rows=(row(2, "demo:1", "Red Cedar", source="demo", external_id="1", city="Elst", beds=66),),
    ),
    Kind(
        name="06_placeholder_identifier",
        file="06.csv",
        content=_PLACEHOLDERS,
        options=("--source", "demo", "--map", "external_id=code"),
        rows=(
            row(2, "name:posto do sol SOURCE demo CITY faro novo", "Posto do Sol", source="demo", city="Faro Novo"),
            row(3, "name:posto da lua SOURCE demo CITY beira", "Posto da Lua", source="demo", city="Beira"),
            row(4, "name:posto do mar SOURCE demo CITY ponta", "Posto do Mar", source="demo", city="Ponta"),
            row(5, "demo:7731002", "Hospital da Serra", source="demo", external_id="7731002", city="Beira"),
            row(6, "name:clinica azul SOURCE demo CITY faro novo", "Clinica Azul", source="demo", city="Faro Novo"),
            row(7, "name:clinica verde SOURCE demo CITY ponta", "Clinica Verde", source="demo", city="Ponta"),
        ),
    ),
    Kind(
        name="07_identifier_not_unique",
        file="07.csv",
        content=_REPEATED,
        options=("--source", "demo", "--map", "external_id=id"),
        rows=(
            row(2, "demo:51", "Bergklinik", source="demo", external_id="51", city="Dorn", country="Orland"),
            row(
                3,
                "demo:51",
                "Clinica del Lago",
                source="demo",
                external_id="51",
                city="Elst",
                country="Perland",
                fate="collision",
                other_line=2,
            ),
            row(4, "demo:52", "Talklinik", source="demo", external_id="52", city="Fahr", country="Orland"),
            row(
                5,
                "demo:52",
                "Talklinik",
                source="demo",
                external_id="52",
                city="Fahr",
                country="Orland",
                fate="same",
            ),
        ),
        notes=('--map external_id="country + id"',),
        code=1,
    ),
    Kind(
        name="07_identifier_not_unique, with the country",
        file="07-country.csv",
        content=_REPEATED,
        options=("--source", "demo", "--map", "external_id=country + id"),
        rows=tuple(
            row(
                line,
                f"demo:{country}-{number}",
                name,
                source="demo",
                external_id=f"{country}-{number}",
                city=city,
                country=country,
                fate="same" if line == 5 else "created",
            )
            for line, number, name, city, country in (
                (2, 51, "Bergklinik", "Dorn", "Orland"),
                (3, 51, "Clinica del Lago", "Elst", "Perland"),
                (4, 52, "Talklinik", "Fahr", "Orland"),
                (5, 52, "Talklinik", "Fahr", "Orland"),
            )
        ),
    ),
    Kind(
        # Rows that differ in nothing but their number and a column that is not read.
        name="07_identifier_not_unique, one hospital",
        file="07-one.csv",
        content=(
            b"No.,HospitalCode,hospital_name,city,ward of the day\n"
            b"1,R1,Bergklinik,Dorn,3\n"
            b"2,R2,Talklinik,Fahr,4\n"
            b"3,R1,Bergklinik,Dorn,5\n"
        ),
        options=("--source", "demo"),
        rows=tuple(
            row(
                line,
                f"demo:{code}",
                name,
                source="demo",
                external_id=code,
                city=city,
                fate="same" if line == 4 else "created",
            )
            for line, code, name, city in (
                (2, "R1", "Bergklinik", "Dorn"),
                (3, "R2", "Talklinik", "Fahr"),
                (4, "R1", "Bergklinik", "Dorn"),
            )
        ),
        columns_left_out=("No.", "ward of the day"),
        notes=("HospitalCode repeats in rows that agree in name and place, so each is taken for one hospital",),
    ),
    Kind(
        name="08_source_column_is_text",
        file="08.csv",
        content=_TEXT_AS_SOURCE,
        rows=tuple(
            row(
                line,
                f"name:{name.lower()} STATE {state.lower()} CITY {city.lower()}",
                name,
                local_id=local_id,
                city=city,
                state=state,
                beds=beds,
            )
            for line, local_id, name, city, state, beds in (
                (2, "501", "Red Cedar Hospital", "Dorn", "WA", 75),
                (3, "502", "West Bay Hospital", "Elst", "WA", 210),
                (4, "503", "Sandy Creek Hospital", "Fahr", "OR", 33),
            )
        ),
        columns_left_out=("SOURCE",),
        notes=("SOURCE contains no names of sources such as cms", f"ID {ONLY_LOCAL}"),
    ),
    Kind(
        name="08_source_column_is_text, source given",
        file="08-source.csv",
        content=_TEXT_AS_SOURCE,
        options=("--source", "demo"),
        rows=tuple(
            row(
                line,
                f"demo:{number}",
                name,
                source="demo",
                external_id=number,
                city=city,
                state=state,
                beds=beds,
            )
            for line, number, name, city, state, beds in (
                (2, "501", "Red Cedar Hospital", "Dorn", "WA", 75),
                (3, "502", "West Bay Hospital", "Elst", "WA", 210),
                (4, "503", "Sandy Creek Hospital", "Fahr", "OR", 33),
            )
        ),
        columns_left_out=("SOURCE",),
        notes=("SOURCE contains no names of sources such as cms",),
    ),
)
