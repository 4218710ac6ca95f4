"""Lists whose table is not simply a header of known names and rows below it."""

from tests.support.list_kinds.model import COUNTS, Kind, point, row

_NO_HEADER = (
    b'"F3K9","HARBOUR VIEW TRUST","Q44","2ND FLOOR","LS1 4QA"\n'
    b'"P1C","WESTON DALE TRUST","Q51","MILL HOUSE","HX2 8TD"\n'
    b'"P1D","OAKEN GATE TRUST","Q52","CHAPEL ROAD","DN5 6RE"\n'
    b'"P1E","SUMMER FIELDS TRUST","Q52","","WF8 2BB"\n'
)
_TRUSTS = (
    (1, "F3K9", "HARBOUR VIEW TRUST"),
    (2, "P1C", "WESTON DALE TRUST"),
    (3, "P1D", "OAKEN GATE TRUST"),
    (4, "P1E", "SUMMER FIELDS TRUST"),
)
_POSTAL_CODES = ("LS1 4QA", "HX2 8TD", "DN5 6RE", "WF8 2BB")
_DEGREES = b"name,city,lat,lon\nLarch Hospital,Dorn,N 58.2,W 3.1\nHazel Hospital,Elst,N 59.3,W 3.4\n"
_STREETS = (
    b"id,hospital_name,street,house_number,city\n1,Bergklinik,Lindenweg,17a,Dorn\n2,Talklinik,Kurzer Weg,4,Elst\n"
)
_SHIFTED = (
    b"State,LGA,Facility Name,Ownership\n"
    b"Estmark,Upper,60412985,Larch Clinic\n"
    b"Estmark,Lower,71523096,Hazel Hospital\n"
    b"Vestmark,Middle,82634107,Alder Hospital\n"
)
_UNKNOWN_HEADER = b"khurlo,dorvane\nRowan House,Dorn\nWillow Bank,Elst\n"

TABLES = (
    Kind(
        name="15_no_header",
        file="15.csv",
        content=_NO_HEADER,
        rows=tuple(
            row(line, f"name:{name.lower()} POSTAL_CODE {code.lower()}", name, local_id=local_id, postal_code=code)
            for (line, local_id, name), code in zip(_TRUSTS, _POSTAL_CODES, strict=True)
        ),
        columns_left_out=("3", "4"),
        notes=(
            "the first line is data, not names of columns, so the columns are numbered",
            "2 contains names of hospitals and is used as hospital_name",
            "5 can only be postal_code",
            "with a different value in every row: 1 (--map external_id=1)",
            "not read, with the first value of each: 3 (Q44), 4 (2ND FLOOR)",
        ),
    ),
    Kind(
        name="15_no_header, columns given",
        file="15-map.csv",
        content=_NO_HEADER,
        options=(
            "--no-header",
            "--source",
            "ods",
            "--map",
            "external_id=1",
            "--map",
            "hospital_name=2",
            "--map",
            "address=4",
            "--map",
            "postal_code=5",
        ),
        rows=tuple(
            row(
                line,
                f"ods:{code}",
                name,
                source="ods",
                external_id=code,
                postal_code=postal_code,
                address=address or None,
            )
            for (line, code, name), address, postal_code in zip(
                _TRUSTS,
                ("2ND FLOOR", "MILL HOUSE", "CHAPEL ROAD", ""),
                _POSTAL_CODES,
                strict=True,
            )
        ),
        columns_left_out=("3",),
    ),
    Kind(
        name="16_other_delimiter",
        file="16.csv",
        content=(
            "SiteID¬SiteCode¬SiteName¬Address1¬City¬Postcode¬Latitude¬Longitude¬Phone\n"
            "83¬HV4¬Kiln Road Hospital¬Kiln Road¬Dorn¬RG9 4TT¬51.44¬-0.97¬01632 960001\n"
            "84¬HV5¬Señora Hall Hospital¬Long Street¬Elst¬EX7 3PL¬50.62¬-3.41¬01632 960002\n"
            "85¬HV6¬Moor Hospital, East Wing¬¬Fahr¬PL4 8QU¬50.37¬-4.14¬01632 960003\n"
        ).encode("cp1252"),
        options=("--source", "sites"),
        rows=tuple(
            row(
                line,
                f"sites:{code}",
                name,
                source="sites",
                external_id=code,
                city=city,
                postal_code=postal_code,
                phone=phone,
                location=point(latitude, longitude),
                address=address or None,
            )
            for line, code, name, address, city, postal_code, latitude, longitude, phone in (
                (2, "HV4", "Kiln Road Hospital", "Kiln Road", "Dorn", "RG9 4TT", 51.44, -0.97, "01632 960001"),
                (3, "HV5", "Señora Hall Hospital", "Long Street", "Elst", "EX7 3PL", 50.62, -3.41, "01632 960002"),
                (4, "HV6", "Moor Hospital, East Wing", "", "Fahr", "PL4 8QU", 50.37, -4.14, "01632 960003"),
            )
        ),
        columns_left_out=("SiteID",),
        notes=("SiteCode is used as the identifier; also with a different value in every row: SiteID",),
    ),
    Kind(
        name="17_rows_above_the_header",
        file="17.csv",
        content=(
            b";;;;\n"
            b"Register of clinics, as of 1 June;;;;\n"
            b";;;;\n"
            b"id;name;city;beds;phone\n"
            b"1;Larch Hospital;Dorn;150;555-0301\n"
            b"2;Hazel Hospital;Elst;90;555-0302\n"
        ),
        rows=(
            row(5, "name:larch hospital CITY dorn", "Larch Hospital", city="Dorn", beds=150, phone="555-0301"),
            row(6, "name:hazel hospital CITY elst", "Hazel Hospital", city="Elst", beds=90, phone="555-0302"),
        ),
        columns_left_out=("id",),
        notes=("lines above the header are skipped: 'Register of clinics, as of 1 June'", f"id {COUNTS}"),
    ),
    Kind(
        name="18_both_coordinates_in_one_cell",
        file="18.csv",
        content=(
            b"Location_Coordinates,name,district\n"
            b'"13.1204, 94.0115",Larch Hospital,Dorn\n'
            b'"13.2750, 93.9581",Hazel Hospital,Elst\n'
            b'"13.3000,94.1000",Alder Clinic,Fahr\n'
        ),
        rows=(
            row(2, "name:larch hospital", "Larch Hospital", county="Dorn", location=point(13.1204, 94.0115)),
            row(3, "name:hazel hospital", "Hazel Hospital", county="Elst", location=point(13.275, 93.9581)),
            row(4, "name:alder clinic", "Alder Clinic", county="Fahr", location=point(13.3, 94.1)),
        ),
    ),
    Kind(
        name="22_address_in_two_columns",
        file="22.csv",
        content=_STREETS,
        options=("--map", "address=street + house_number"),
        rows=(
            row(2, "name:bergklinik CITY dorn", "Bergklinik", address="Lindenweg 17a", city="Dorn"),
            row(3, "name:talklinik CITY elst", "Talklinik", address="Kurzer Weg 4", city="Elst"),
        ),
        columns_left_out=("id",),
        notes=(f"id {COUNTS}",),
    ),
    Kind(
        name="23_header_in_another_language",
        file="23.csv",
        content=(
            "nome,endereço,cep,telefone,leitos,latitude,longitude\n"
            "Hospital da Costa,Rua Um 10,01310-100,5551-2001,140,-21.5,-47.5\n"
            "Hospital do Vale,Rua Dois 20,02220-200,5551-2002,75,-22.5,-48.5\n"
        ).encode(),
        rows=(
            row(
                2,
                "name:hospital da costa POSTAL_CODE 01310-100",
                "Hospital da Costa",
                address="Rua Um 10",
                postal_code="01310-100",
                phone="5551-2001",
                beds=140,
                location=point(-21.5, -47.5),
            ),
            row(
                3,
                "name:hospital do vale POSTAL_CODE 02220-200",
                "Hospital do Vale",
                address="Rua Dois 20",
                postal_code="02220-200",
                phone="5551-2002",
                beds=75,
                location=point(-22.5, -48.5),
            ),
        ),
    ),
    Kind(
        name="24_no_way_to_leave_a_column_out",
        file="24.csv",
        content=_DEGREES,
        options=("--map", "latitude=", "--map", "longitude="),
        rows=(
            row(2, "name:larch hospital CITY dorn", "Larch Hospital", city="Dorn"),
            row(3, "name:hazel hospital CITY elst", "Hazel Hospital", city="Elst"),
        ),
        columns_left_out=("lat", "lon"),
    ),
    Kind(
        name="24_no_way_to_leave_a_column_out, kept",
        file="24-kept.csv",
        content=_DEGREES,
        rows=(
            row(2, "name:larch hospital CITY dorn", "Larch Hospital", city="Dorn", location=point(58.2, -3.1)),
            row(3, "name:hazel hospital CITY elst", "Hazel Hospital", city="Elst", location=point(59.3, -3.4)),
        ),
    ),
    Kind(
        name="30_names_are_numbers",
        file="30.csv",
        content=_SHIFTED,
        refusal=(
            "hospital_name is a number in every row (first: 60412985), so 'Facility Name' is not used",
            "Ownership looks like the name: --map hospital_name=Ownership",
        ),
        code=2,
    ),
    Kind(
        name="30_names_are_numbers, as the message says",
        file="30-map.csv",
        content=_SHIFTED,
        options=("--map", "hospital_name=Ownership"),
        rows=(
            row(
                2,
                "name:larch clinic STATE estmark",
                "Larch Clinic",
                state="Estmark",
                county="Upper",
            ),
            row(
                3,
                "name:hazel hospital STATE estmark",
                "Hazel Hospital",
                state="Estmark",
                county="Lower",
            ),
            row(
                4,
                "name:alder hospital STATE vestmark",
                "Alder Hospital",
                state="Vestmark",
                county="Middle",
            ),
        ),
        columns_left_out=("Facility Name",),
    ),
    Kind(
        name="31_demo_hint",
        file="31.csv",
        content=_UNKNOWN_HEADER,
        refusal=("choose it with --map hospital_name=\"COLUMN\"; its columns are 'khurlo', 'dorvane'",),
        code=2,
    ),
    Kind(
        name="31_demo_hint, as the message says",
        file="31-map.csv",
        content=_UNKNOWN_HEADER,
        options=("--map", "hospital_name=khurlo"),
        rows=(row(2, "name:rowan house", "Rowan House"), row(3, "name:willow bank", "Willow Bank")),
        columns_left_out=("dorvane",),
    ),
)
