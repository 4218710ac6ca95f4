# ruff: noqa: RUF001  (cells in many scripts)
"""Lists in other encodings than UTF-8, most with a header of ASCII letters alone."""

from tests.support.list_kinds.model import NUMBERS, ONLY_LOCAL, Kind, point, row

_KOREAN = (
    ("달빛아동병원", "누리시 해오름구 산들로 31", "041-555-2201", 36.81, 127.11),
    ("솔향기요양병원", "누리시 해오름구 은하수길 8", "041-555-2202", 36.82, 127.12),
    ("큰나무정형외과의원", "누리시 물빛구 다온로 115", "041-555-2203", 36.83, 127.13),
)

ENCODINGS = (
    Kind(
        name="01a_gb18030_ascii_header",
        file="01a.csv",
        content=(
            "ID,NAME,ADD,tel\n"
            "1,临湖市第一医院,临湖市花园路5号,01050001111\n"
            "2,松鹤口腔门诊部,临湖市竹林街21号,01050002222\n"
            "3,白云康复医院,临湖市江北大道106号,01050003333\n"
        ).encode("gb18030"),
        rows=(
            row(2, "name:临湖市第一医院", "临湖市第一医院", address="临湖市花园路5号", phone="01050001111"),
            row(3, "name:松鹤口腔门诊部", "松鹤口腔门诊部", address="临湖市竹林街21号", phone="01050002222"),
            row(4, "name:白云康复医院", "白云康复医院", address="临湖市江北大道106号", phone="01050003333"),
        ),
        columns_left_out=("ID",),
        notes=(f"ID {NUMBERS}",),
    ),
    Kind(
        name="01b_cp949_ascii_header",
        file="01b.csv",
        content=(
            "id,name,address,phone,lat,lon\n"
            + "".join(
                f"N{number},{','.join(map(str, cells))}\n"
                for number, cells in zip((41, 57, 88), _KOREAN, strict=True)
            )
        ).encode("cp949"),
        rows=tuple(
            row(
                line,
                f"name:{name}",
                name,
                address=address,
                phone=phone,
                location=point(latitude, longitude),
                local_id=local_id,
            )
            for line, local_id, (name, address, phone, latitude, longitude) in zip(
                (2, 3, 4), ("N41", "N57", "N88"), _KOREAN, strict=True
            )
        ),
        notes=(f"id {ONLY_LOCAL}",),
    ),
    Kind(
        name="01c_cp932_ascii_header",
        file="01c.csv",
        content=(
            "id,name,address,phone\n"
            "1,ひまわり丘病院,朝霧市若葉町３－１－２,000-555-6161\n"
            "2,つばさクリニック,朝霧市紅葉坂７－８,000-555-6262\n"
            "3,星浦医院,朝霧市岬台４,000-555-6363\n"
        ).encode("cp932"),
        rows=(
            row(2, "name:ひまわり丘病院", "ひまわり丘病院", address="朝霧市若葉町３－１－２", phone="000-555-6161"),
            row(3, "name:つばさクリニック", "つばさクリニック", address="朝霧市紅葉坂７－８", phone="000-555-6262"),
            row(4, "name:星浦医院", "星浦医院", address="朝霧市岬台４", phone="000-555-6363"),
        ),
        columns_left_out=("id",),
        notes=(f"id {NUMBERS}",),
    ),
    Kind(
        # In Big5 the last byte of 功 and 許 is that of a backslash.
        name="01d_big5_ascii_header",
        file="01d.csv",
        content=(
            "id,name,address,phone\n"
            "1,成功紀念醫院,霧台市許厝路二段40號,04-5557101\n"
            "2,許願樹診所,霧台市建功街9號,04-5557102\n"
            "3,綠野綜合醫院,霧台市和平路77號,04-5557103\n"
        ).encode("cp950"),
        rows=(
            row(2, "name:成功紀念醫院", "成功紀念醫院", address="霧台市許厝路二段40號", phone="04-5557101"),
            row(3, "name:許願樹診所", "許願樹診所", address="霧台市建功街9號", phone="04-5557102"),
            row(4, "name:綠野綜合醫院", "綠野綜合醫院", address="霧台市和平路77號", phone="04-5557103"),
        ),
        columns_left_out=("id",),
        notes=(f"id {NUMBERS}",),
    ),
    Kind(
        name="01e_cp1251_ascii_header",
        file="01e.csv",
        content=(
            "Name;Street;Building_number;Phone_number\n"
            "Обласна лікарня № 7;вул. Калинова;15;0440000701\n"
            "Стоматологічна поліклініка;вул. Джерельна;8;0440000702\n"
            "Дитячий санаторій;вул. Вишнева;2;0440000703\n"
        ).encode("cp1251"),
        rows=(
            row(
                2,
                "name:обласна лікарня no 7",
                "Обласна лікарня № 7",
                address="вул. Калинова 15",
                phone="0440000701",
            ),
            row(
                3,
                "name:стоматологічна поліклініка",
                "Стоматологічна поліклініка",
                address="вул. Джерельна 8",
                phone="0440000702",
            ),
            row(4, "name:дитячий санаторій", "Дитячий санаторій", address="вул. Вишнева 2", phone="0440000703"),
        ),
        notes=("address is joined from Street, Building_number",),
    ),
    Kind(
        name="01f_cp949_native_header",
        file="01f.csv",
        content=(
            "병원명,소재지,대표전화,위도,경도\n" + "".join(f"{','.join(map(str, cells))}\n" for cells in _KOREAN)
        ).encode("cp949"),
        rows=tuple(
            row(line, f"name:{name}", name, address=address, phone=phone, location=point(latitude, longitude))
            for line, (name, address, phone, latitude, longitude) in enumerate(_KOREAN, start=2)
        ),
    ),
    Kind(
        name="02_utf8_with_one_stray_byte",
        file="02.csv",
        content="id,name,city\n1,Hospital São Tomé,Água Fria\n2,Clínica da Praça,Pedrogão\n".encode()
        + "3,Hospital Conceição,Lousã\n4,Clínica do Cora".encode()
        + b"\xe7"
        + b"ao,Monte\n",
        rows=(
            row(2, "name:hospital são tomé CITY água fria", "Hospital São Tomé", city="Água Fria"),
            row(3, "name:clínica da praça CITY pedrogão", "Clínica da Praça", city="Pedrogão"),
            row(4, "name:hospital conceição CITY lousã", "Hospital Conceição", city="Lousã"),
            row(5, "name:clínica do coraçao CITY monte", "Clínica do Coraçao", city="Monte"),
        ),
        columns_left_out=("id",),
        notes=(
            "1 byte is not utf-8 and read as cp1252",
            "hospital_name: a stray byte read as cp1252 (1 cell)",
            f"id {NUMBERS}",
        ),
    ),
)
