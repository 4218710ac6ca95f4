"""Lists whose lines are long: what is beyond ASCII may stand thousands of bytes after the start of its line."""

import json
from collections.abc import Callable

import pytest

from producers.files import FileError
from tests.unit.producers.files.detection.test_encodings import detect

GEOMETRY = ", ".join(f"[13.{number:04}, 52.{number:04}]" for number in range(400))


def geojson(names: list[str]) -> str:
    features = ",".join(
        f'{{"geometry":[{GEOMETRY}],"properties":{{"name":{json.dumps(name, ensure_ascii=False)}}}}}'
        for name in names
    )
    return f'{{"type":"FeatureCollection","features":[{features}]}}'


def csv_after_geometry(names: list[str]) -> str:
    return "\n".join(["id;shape;name", *(f"{at};{GEOMETRY};{name}" for at, name in enumerate(names)), ""])


def csv_of_wide_rows(names: list[str]) -> str:
    cells = ",".join(f"column{number}" for number in range(600))
    return "\n".join([f"id,{cells},name", *(f"{at},{cells},{name}" for at, name in enumerate(names)), ""])


LAYOUTS = [geojson, csv_after_geometry, csv_of_wide_rows]
ASCII = [f"Oak Clinic {number}" for number in range(100)]
UTF_8 = [
    ["Klinik Süd"],
    ["Clínica Médica", "Clínica Norte"],
    [*ASCII, "Święty Jan"],
    ["Νοσοκομείο"],
    ["病院"],
    ["โรงพยาบาล"],
    ["Oak \u2013 Elm Clinic"],
    ["Oak\u00a0Clinic \u2013 Nord", *ASCII],
]
OTHERS = {
    "cp1250": ["Szpital Świętej Łucji", "Klinika Żory", "Łódź Szpital", "Przychodnia w Gdańsku", "Słupsk Północ"],
    "cp1251": ["Больница города", "Поликлиника детская", "Родильный дом", "Центральная районная больница"],
    "cp1253": ["Γενικό Νοσοκομείο", "Κέντρο Υγείας", "Ιατρείο Αθηνών", "Λάρισα"],
    "cp932": ["東京都立病院", "大阪市民病院", "中央病院", "北海道がんセンター"],
    "gb18030": ["北京大学第一医院", "上海瑞金医院", "人民医院", "中心卫生院"],
    "cp949": ["서울대학교병원", "부산의료원", "강남성모병원", "보건소"],
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("names", UTF_8, ids=lambda names: names[-1])
def test_a_few_letters_late_in_their_line_are_utf8(layout: Callable[[list[str]], str], names: list[str]) -> None:
    assert detect(layout(names).encode()).name == "utf-8"


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("encoding", OTHERS)
def test_other_encodings_are_known_by_letters_late_in_their_line(
    layout: Callable[[list[str]], str], encoding: str
) -> None:
    content = layout(OTHERS[encoding])
    data = content.encode(encoding)
    assert data.decode(detect(data).name) == content


@pytest.mark.parametrize("layout", LAYOUTS)
def test_letters_late_in_their_line_are_in_doubt_if_others_are(layout: Callable[[list[str]], str]) -> None:
    with pytest.raises(FileError, match=r"not certain.*cp1252: 'Ñandú'; cp1250: 'Ńandú'"):
        detect(layout(["Ñandú"]).encode("cp1252"))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dash", ["\u2013", "—"])
def test_a_dash_late_in_its_line_is_a_dash(layout: Callable[[list[str]], str], dash: str) -> None:
    assert detect(layout([f"Oak {dash} Elm", *ASCII]).encode("cp1252")).name == "cp1252"


def test_one_name_after_hundreds_of_blocks_of_one_line_is_found() -> None:
    """More blocks than are sampled, of which the last but one is the first that says something."""
    data = b"[" + b'{"name":"Oak"},' * 8_000_000 + '{"name":"Médica"},'.encode() + b'{"name":"Elm"}]'
    assert detect(data).name == "utf-8"
