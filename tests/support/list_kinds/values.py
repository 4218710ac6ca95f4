"""Lists with cells that can be read only if one knows how lists write them."""

from tests.support.list_kinds.model import NUMBERS, ONLY_LOCAL, Kind, point, row

VALUES = (
    Kind(
        name="09_words_for_nothing",
        file="09.csv",
        content=(
            b"name,city,beds,lat,lon,phone\n"
            b"Larch Hospital,Dorn,-999,40.5,8.5,NOT AVAILABLE\n"
            b"Hazel Hospital,NULL,NA,NA,NA,N/A\n"
            b"Alder Clinic,Fahr,null,41.5,9.5,null\n"
            b"Maple Hospital,\\N,\\N,42.5,10.5,None\n"
            b"Linden Hospital,Hult,65,43.5,11.5,-\n"
        ),
        rows=(
            row(2, "name:larch hospital CITY dorn", "Larch Hospital", city="Dorn", location=point(40.5, 8.5)),
            row(3, "name:hazel hospital", "Hazel Hospital"),
            row(4, "name:alder clinic CITY fahr", "Alder Clinic", city="Fahr", location=point(41.5, 9.5)),
            row(5, "name:maple hospital", "Maple Hospital", location=point(42.5, 10.5)),
            row(
                6,
                "name:linden hospital CITY hult",
                "Linden Hospital",
                city="Hult",
                beds=65,
                location=point(43.5, 11.5),
            ),
        ),
        columns_left_out=("phone",),
        notes=("phone is not known in any row (first: NOT AVAILABLE), so it is not used as phone",),
    ),
    Kind(
        name="10_decimal_comma",
        file="10.csv",
        content=(
            "LNG;LAT;ID;NOMBRE;TELEFONO\n"
            "-63,1820345;-31,4201178;72;Hospital de la Sierra;5551-0101\n"
            "-63,2901124;-31,5117203;19;Hospital del Río;5551-0102\n"
            "-63,0554321;-31,6054321;40;Hospital de Niños Doña Inés;5551-0103\n"
        ).encode("cp1252"),
        rows=(
            row(
                2,
                "name:hospital de la sierra",
                "Hospital de la Sierra",
                local_id="72",
                phone="5551-0101",
                location=point(-31.4201178, -63.1820345),
            ),
            row(
                3,
                "name:hospital del río",
                "Hospital del Río",
                local_id="19",
                phone="5551-0102",
                location=point(-31.5117203, -63.2901124),
            ),
            row(
                4,
                "name:hospital de niños doña inés",
                "Hospital de Niños Doña Inés",
                local_id="40",
                phone="5551-0103",
                location=point(-31.6054321, -63.0554321),
            ),
        ),
        notes=(f"ID {ONLY_LOCAL}",),
    ),
    Kind(
        name="11_latitude_without_longitude",
        file="11.csv",
        content=(
            b"id,hospital_name,address,latitude,longtitude,sickbed_num\n"
            b"1,Upper Hospital,5 D Street,35.10,137.11,80\n"
            b"2,Lower Hospital,6 E Street,35.20,137.22,125\n"
            b"3,Middle Hospital,7 F Street,35.30,137.33,20\n"
        ),
        rows=(
            row(2, "name:upper hospital", "Upper Hospital", address="5 D Street", beds=80),
            row(3, "name:lower hospital", "Lower Hospital", address="6 E Street", beds=125),
            row(4, "name:middle hospital", "Middle Hospital", address="7 F Street", beds=20),
        ),
        columns_left_out=("id", "latitude", "longtitude"),
        notes=(
            (
                "latitude has no longitude beside it, so it is left out; say --map longitude=COLUMN "
                "(longtitude looks like it)"
            ),
            f"id {NUMBERS}",
        ),
    ),
    Kind(
        name="11_latitude_without_longitude, as the note says",
        file="11-map.csv",
        content=b"hospital_name,latitude,longtitude\nUpper Hospital,35.10,137.11\nLower Hospital,35.20,137.22\n",
        options=("--map", "longitude=longtitude"),
        rows=(
            row(2, "name:upper hospital", "Upper Hospital", location=point(35.1, 137.11)),
            row(3, "name:lower hospital", "Lower Hospital", location=point(35.2, 137.22)),
        ),
    ),
    Kind(
        name="12_line_break_in_address",
        file="12.csv",
        content=(
            b"name,address,postcode,phone\n"
            b'Heron Health,"12 Harbour Street\r\nDorn NSW 2810",2810,03 5551 1001\n'
            b'"Plover\nHospital","7 Dune Street\rElst NSW 2834","2834","03 5551 2002\n03 5551 3003"\n'
            b"Curlew Hospital,9 Marsh Road Fahr,2867,03 5551 4004\n"
        ),
        rows=(
            row(
                2,
                "name:heron health POSTAL_CODE 2810",
                "Heron Health",
                address="12 Harbour Street Dorn NSW 2810",
                postal_code="2810",
                phone="03 5551 1001",
            ),
            row(
                4,
                "name:plover hospital POSTAL_CODE 2834",
                "Plover Hospital",
                address="7 Dune Street Elst NSW 2834",
                postal_code="2834",
                phone="03 5551 2002 03 5551 3003",
            ),
            row(
                8,
                "name:curlew hospital POSTAL_CODE 2867",
                "Curlew Hospital",
                address="9 Marsh Road Fahr",
                postal_code="2867",
                phone="03 5551 4004",
            ),
        ),
    ),
    Kind(
        name="13_other_words_for_yes",
        file="13.csv",
        content=(
            "name,city,emergency\n"
            "Hospital Sete,Dorn,SIM\n"
            "Hospital Oito,Elst,NO\n"
            "Hospital Nueve,Fahr,Sí\n"
            "朝霧病院,若葉市,○\n"
            "Klinik Zehn,Hult,Ja\n"
            "Hopital Onze,Illy,Oui\n"
            "달빛병원,누리시,K9\n"
        ).encode(),
        rows=(
            row(2, "name:hospital sete CITY dorn", "Hospital Sete", city="Dorn", emergency_services=True),
            row(3, "name:hospital oito CITY elst", "Hospital Oito", city="Elst", emergency_services=False),
            row(4, "name:hospital nueve CITY fahr", "Hospital Nueve", city="Fahr", emergency_services=True),
            row(5, "name:朝霧病院 CITY 若葉市", "朝霧病院", city="若葉市", emergency_services=True),
            row(6, "name:klinik zehn CITY hult", "Klinik Zehn", city="Hult", emergency_services=True),
            row(7, "name:hopital onze CITY illy", "Hopital Onze", city="Illy", emergency_services=True),
            row(8, "name:달빛병원 CITY 누리시", "달빛병원", city="누리시", left_out={"emergency_services": "K9"}),
        ),
    ),
    Kind(
        name="19_text_that_was_a_float",
        file="19.csv",
        content=(
            b"name,postcode,phone\n"
            b"Larch Hospital,2190.0,5493510007.0\n"
            b"Hazel Hospital,3340.0,5493510008.0\n"
            b"Alder Clinic,B1900XQA,\n"
        ),
        rows=(
            row(
                2, "name:larch hospital POSTAL_CODE 2190", "Larch Hospital", postal_code="2190", phone="5493510007"
            ),
            row(
                3, "name:hazel hospital POSTAL_CODE 3340", "Hazel Hospital", postal_code="3340", phone="5493510008"
            ),
            row(4, "name:alder clinic POSTAL_CODE b1900xqa", "Alder Clinic", postal_code="B1900XQA"),
        ),
        notes=(
            "postal_code: whole numbers written as 1425.0; leading zeros, if there were any, are lost (2 cells)",
            "phone: whole numbers written as 1425.0; leading zeros, if there were any, are lost (2 cells)",
        ),
    ),
    Kind(
        name="20_c1_controls",
        file="20.csv",
        content=(
            "id,name,city\n1,SERVICE D\x92URGENCE,Dorn\n2,\x93Sv. Vera\x94 Hospital,Elst\n3,Alder Clinic,Fahr\n"
        ).encode(),
        rows=(
            row(2, "name:service d\u2019urgence CITY dorn", "SERVICE D\u2019URGENCE", city="Dorn"),
            row(3, "name:\u201csv. vera\u201d hospital CITY elst", "\u201cSv. Vera\u201d Hospital", city="Elst"),
            row(4, "name:alder clinic CITY fahr", "Alder Clinic", city="Fahr"),
        ),
        columns_left_out=("id",),
        notes=(f"id {NUMBERS}", "hospital_name: control characters read as cp1252 (2 cells)"),
    ),
    Kind(
        name="21_zero_zero",
        file="21.csv",
        content=(
            b"name,city,lat,lon,phone\n"
            b"Larch Hospital,Dorn,0.0000,0.0000,00000 000000\n"
            b"Hazel Hospital,Elst,-7.2504,112.7688,555-0202\n"
            b"Alder Clinic,Fahr,112.7688,-7.2504,555-0203\n"
        ),
        rows=(
            row(
                2,
                "name:larch hospital CITY dorn",
                "Larch Hospital",
                city="Dorn",
                left_out={"location": "0.0000 | 0.0000"},
            ),
            row(
                3,
                "name:hazel hospital CITY elst",
                "Hazel Hospital",
                city="Elst",
                phone="555-0202",
                location=point(-7.2504, 112.7688),
            ),
            row(
                4,
                "name:alder clinic CITY fahr",
                "Alder Clinic",
                city="Fahr",
                phone="555-0203",
                left_out={"latitude": "112.7688", "longitude": "-7.2504"},
            ),
        ),
    ),
)
