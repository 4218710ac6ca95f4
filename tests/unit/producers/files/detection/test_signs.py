"""Lists of ASCII but for a sign or a name or two: the place of the sign and the words of the header decide."""

import pytest

from producers.files import FileError
from tests.unit.producers.files.detection.test_encodings import detect

RIGHT = {
    # The header and a name.
    "fr": "N° FINESS;Nom;Commune;Lits\n010000024;CH de Fleyriat;Viriat;100\n010000032;CH Nîmes;Nîmes;200\n",
    "de": "Nr;Krankenhaus;Ort\n1;Klinikum Nord;Gießen\n2;Klinikum Ost;Bonn\n",
    "nb": "id;navn;kommune;adresse\n1;Legevakt;Tromsø;Storgata 1\n2;Klinikk;Oslo;Torget\n",
    "sv": "id;namn;ort;adress\n1;Lasarettet;Malmö;Torget 1\n2;Sjukhus;Lund;Gatan 3\n",
    # Numbers, ordinals and abbreviations.
    "es": "Código;Nombre;Municipio;Camas\n1;Hosp. San José nº 0;Aveda;10\n2;Hosp. Central nº 1;Brusk;2\n",
    "pt": "Nº;Nome;Município\n1;UPA Sul;Campinas\n2;UPA Norte;Jacareí\n",
    "ª": "id;nombre;localidad\n1;Centro de Salud 2ª;Lugo\n2;Clínica Norte;Vigo\n3;Hospital 12º;Madrid\n",
    "Drª": "id,nome,municipio\n1,Hospital Drª Maria,Santos\n2,Clinica Norte,Recife\n",
    "Mª": "id,nombre,municipio\n1,Hospital Mª Luisa,Lugo\n2,Clinica Norte,Vigo\n",
    # Apostrophes.
    "\u2019s": "id,name,town\n" + "".join(f"{number},Ann\u2019s Clinic {number},Aveda\n" for number in range(30)),
    "\u2019": "id,name,town\n1,Children\u2019s Hospital,Aveda\n2,Oak Clinic,Brusk\n",
    "\u2019S": "id,name,town\n1,Mercy Home,Aveda\n2,Weaver\u2019s Family Practice,Brusk\n",
    # Signs beside digits and behind words.
    "°": "id,name,pos\n1,Oak Clinic,51°30'N 0°7'W\n2,Elm Clinic,52°30'N 1°7'W\n",
    "°C": "id,name,temp\n1,Oak Clinic,20°C\n2,Elm Clinic,30°C\n",
    "®": "id,name,town\n1,MediCare® Clinic,Aveda\n2,Oak Clinic,Aveda\n",
    " ®": "id,name,town\n1,MediCare ® Clinic,Aveda\n2,Oak Clinic,Aveda\n",
    "²": "id,name,area\n1,Oak Clinic,120 m²\n2,Elm Clinic,130 m²\n",
    "¹": "id,name,town\n1,Oak Clinic¹,Aveda\n2,Elm Clinic,Brusk\n",
    "£": "id,name,fee\n1,Oak Clinic,£120\n2,Elm Clinic,£130\n",
    "€": "id,name,fee\n1,Oak Clinic,120 €\n2,Elm Clinic,130 €\n",
    "§": "id,name,note\n1,Oak Clinic,§ 108 SGB V\n2,Elm Clinic,§ 108 SGB V\n",
}
OTHERS = {
    # What looks like such a sign in cp1252, or stands below a header of another language.
    "Díaz": ("mac_roman", "id,name,town\n1,Hospital Díaz,Aveda\n2,Clinica Solís,Aveda\n"),
    "Solís": ("mac_roman", "id,name,town\n1,Hospital Solís,Santos\n2,Clinica Norte,Recife\n"),
    "Líbano": ("mac_roman", "id,nome,municipio\n1,Hospital Líbano,Santos\n2,Clinica Norte,Recife\n"),
    "Nîmes": ("mac_roman", "id;Nom;Commune;Lits\n1;Centre;Nîmes;5\n2;Hospital Nord;Aveda;7\n"),
    "Argeş": ("cp1250", "id,name,town\n1,Spital Argeş,Pitesti\n2,Spital Mureş,Targu\n"),
    "opieką": ("cp1250", "id,name,town\n1,Klinika z opieką,Radom\n2,Przychodnia,Radom\n"),
    "nº": ("cp850", "id,nombre,municipio\n1,Posto nº 3,Santos\n2,Clinica Norte,Lugo\n"),
    "ｰ": ("cp932", "id,name,addr\n1,Oak,1ｰ2ｰ3\n2,Elm,4ｰ5\n"),
    "№": ("cp1251", "id,name,addr\n1,Poliklinika №1,Omsk\n2,Poliklinika №2,Omsk\n"),
    "Gdańsk": ("cp1250", "id;Nom;Commune;Lits\n1;Centre;Gdańsk;5\n2;Hospital Nord;Aveda;7\n"),
    "Rīga": ("cp1257", "id;Krankenhaus;Ort;PLZ\n1;Klinik;Rīga;5\n2;Klinik;Bonn;7\n"),
    "Plzeň": ("cp1250", "id;nazev;obec\n1;Nemocnice Plzeň;Plzeň\n2;Poliklinika;Brno\n"),
    "Rīgā": ("cp1257", "id,nosaukums,pilseta\n1,Slimnīca Rīga,Rīga\n2,Klinika,Liepāja\n"),
}


@pytest.mark.parametrize("content", RIGHT.values(), ids=RIGHT)
def test_a_sign_in_its_place_or_the_header_decides(content: str) -> None:
    assert content.encode("cp1252").decode(detect(content.encode("cp1252")).name) == content


@pytest.mark.parametrize(("encoding", "content"), OTHERS.values(), ids=OTHERS)
def test_what_only_looks_like_it_is_read_right_or_refused(encoding: str, content: str) -> None:
    data = content.encode(encoding)
    try:
        found = detect(data)
    except FileError:
        return
    assert data.decode(found.name) == content


def test_strays_alone_do_not_make_a_short_list_utf8() -> None:
    """Read as cp1252 with a remark, this would be `Cnalons`."""
    with pytest.raises(FileError, match="not certain"):
        detect("id;Nom;Commune;Lits\n1;Centre;Châlons;5\n2;Hospital Nord;Aveda;7\n".encode("mac_roman"))


@pytest.mark.parametrize(
    "content",
    [
        "id,name,town\n1,Ñandú,San José\n2,Oak,San José\n",
        "id,name,town\n1,San José,Ñandú\n2,San José,Oak\n",
        "id,name,town\n1,Café,Ñandú\n",
    ],
)
def test_a_refusal_shows_cells_that_the_encodings_read_differently(content: str) -> None:
    with pytest.raises(FileError) as caught:
        detect(content.encode("cp1252"))
    shown = str(caught.value)
    assert "cp1252: 'Ñandú'; cp1250: 'Ńandú'" in shown
    assert "José" not in shown
