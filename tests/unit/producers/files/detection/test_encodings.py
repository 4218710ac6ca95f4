"""Text of some thirty languages in the encodings that can write it: read right, or refused, and never wrong."""

import codecs
import io
import json
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import BinaryIO

import pytest

from producers.files import FileError
from producers.files.detection.encodings import Encoding, detect_encoding

LANGUAGES = json.loads(Path(__file__).parents[1].joinpath("hospitals_by_language.json").read_text(encoding="utf-8"))
CASES = [(language, encoding) for language, table in LANGUAGES.items() for encoding in table["encodings"]]
LIST = Path("list.csv")


def detect(data: bytes, wish: str | None = None, usual: str | None = None) -> Encoding:
    def opener() -> AbstractContextManager[BinaryIO]:
        return nullcontext(io.BytesIO(data))

    return detect_encoding(LIST, opener, wish, usual)


def text(language: str, rows: int, first: int = 0, *, native: bool = False) -> str:
    table = LANGUAGES[language]
    header = table["header"] if native else ["name", "city"]
    chosen = [table["rows"][(first + number) % len(table["rows"])] for number in range(rows)]
    lines = [f"{number},{name},{town},012-{number:04}" for number, (name, town) in enumerate(chosen, 1)]
    return "\r\n".join([f"id,{header[0]},{header[1]},phone", *lines, ""])


def outcome(content: str, encoding: str) -> str:
    """Return `right` or `refused`; anything else fails the test."""
    data = content.encode(encoding, "ignore")
    content = data.decode(encoding)
    found = refusal = ""
    try:
        found = detect(data).name
    except FileError as error:
        refusal = str(error)
    if found:
        assert data.decode(found) == content, f"{encoding} was read as {found}"
        return "right"
    shown = refusal.partition("--encoding")[2]
    alike = [name for name in same(encoding) if data.decode(name, "ignore") == content]
    assert any(f"{name}: " in shown for name in (encoding, *alike)), f"{encoding} is not shown: {refusal}"
    return "refused"


def same(encoding: str) -> list[str]:
    """Encodings that often read the same text, of which the message names one."""
    families = [
        ("cp1252", "iso8859_15", "cp1254", "cp1250", "cp1257"),
        ("cp1250", "iso8859_2", "cp852"),
        ("cp1251", "mac_cyrillic"),
        ("koi8_r", "koi8_u"),
        ("cp866", "cp1125"),
        ("cp1253", "iso8859_7"),
        ("cp850", "cp437", "cp857", "cp852"),
        ("cp950", "big5hkscs"),
        ("mac_roman", "mac_turkish", "mac_greek"),
    ]
    return [name for family in families if encoding in family for name in family]


@pytest.mark.parametrize(("language", "encoding"), CASES)
def test_three_rows_are_read_right_or_refused(language: str, encoding: str) -> None:
    starts = range(0, len(LANGUAGES[language]["rows"]), 3)
    found = [outcome(text(language, 3, first), encoding) for first in starts]
    assert {*found, outcome(text(language, 3, native=True), encoding)} <= {"right", "refused"}


@pytest.mark.parametrize(("language", "encoding"), CASES)
@pytest.mark.parametrize("native", [False, True], ids=["ASCII header", "native header"])
def test_fifty_rows_are_read_right(language: str, encoding: str, native: bool) -> None:
    assert outcome(text(language, 50, native=native), encoding) == "right"


@pytest.mark.parametrize(("language", "encoding"), CASES[::4])
def test_text_that_begins_after_thousands_of_lines_decides(language: str, encoding: str) -> None:
    ascii_rows = "".join(f"{number},North Clinic,Aveda,012\r\n" for number in range(20_000))
    header, _, rows = text(language, 20).partition("\r\n")
    assert outcome(f"{header}\r\n{ascii_rows}{rows}", encoding) == "right"


@pytest.mark.parametrize("encoding", ["cp1251", "gb18030", "cp949", "cp932", "cp950", "cp1250", "euc_jp"])
def test_a_header_and_columns_of_numbers_say_nothing(encoding: str) -> None:
    language = next(language for language, other in CASES if other == encoding)
    numbers = ",".join(str(number) for number in range(200))
    lines = [f"{line},{numbers}" for line in text(language, 30).splitlines()]
    assert outcome("\n".join(lines), encoding) == "right"


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]
)
@pytest.mark.parametrize("language", ["English", "French", "Russian", "Chinese", "Korean"])
def test_unicode_is_read_right_with_and_without_a_mark(language: str, encoding: str) -> None:
    content = text(language, 5, native=True)
    assert content.encode(encoding).decode(detect(content.encode(encoding)).name) == content


def test_bytes_that_are_all_no_break_spaces_are_spaces_and_no_letters_of_dos() -> None:
    data = b"name,note\nOak Clinic,open to local\xa0residents\nElm Clinic,no beds\n"
    assert data.decode(detect(data).name).count("\u00a0") == 1


@pytest.mark.parametrize("dash", ["\u2013", "\u2014"])
def test_a_dash_between_blanks_is_no_letter_of_dos(dash: str) -> None:
    rows = [f"{number},General Hospital {dash} {number},Boston" for number in range(200)]
    content = "\n".join(["id,name,city", *rows])
    assert detect(content.encode("cp1252")).name == "cp1252"


@pytest.mark.parametrize("word", [b"Ao\x96t", b"M\x97laga", b"caf\x97", b"\x96 \x82t\x82"])
def test_what_may_be_a_letter_of_dos_or_macintosh_is_no_dash(word: bytes) -> None:
    rows = [b"%d,Clinic %s,Bastia" % (number, word) for number in range(200)]
    with pytest.raises(FileError, match="its encoding is not certain"):
        detect(b"\n".join([b"id,name,city", *rows]))


def test_turkish_capitals_are_turkish() -> None:
    towns = ["ADIYAMAN", "SIVAS MERKEZ", "D\u0130YARBAKIR", "MU\u011eLA", "\u0130ZM\u0130R"]
    rows = [f"{number};{towns[number % 5]} DEVLET HASTANES\u0130;{towns[number % 5]}" for number in range(30)]
    content = "\n".join(["SIRA NO;SA\u011eLIK TES\u0130S\u0130N\u0130N ADI;\u0130L", *rows])
    assert detect(content.encode("cp1254")).name == "cp1254"


def test_one_capital_letter_does_not_make_ukrainian_kazakh() -> None:
    rows = [f"{number};Обласна клінічна лікарня {number};м. Вінниця" for number in range(30)]
    content = "\n".join(["ЄДРПОУ;Повне найменування;Адреса", *rows])
    assert detect(content.encode("cp1251")).name == "cp1251"


def test_the_cells_of_a_refusal_show_what_is_in_doubt() -> None:
    with pytest.raises(FileError, match=r"cp1252: '[^']*Ramírez"):
        detect(b"name,town\nCentro de Salud Just Ram\xedrez,Aveda\nCentro Norte,Brusk\n")


@pytest.mark.parametrize("mark", [codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE])
def test_a_byte_order_mark_decides(mark: bytes) -> None:
    names = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
    data = mark + "name\nÉ\n".encode(names[mark])
    assert data.decode(detect(data).name).lstrip("\ufeff") == "name\nÉ\n"


def test_one_stray_byte_does_not_change_the_encoding_of_the_file() -> None:
    data = "id,name\n1,Hôpital Élan\n2,Forêt\n3,Chêne\n".encode() + b"4,Ros\xe9e\n"
    assert detect(data) == Encoding("utf-8", 5, strays=1)


def test_a_few_bytes_in_a_large_ascii_file_are_strays_if_their_encoding_is_not_certain() -> None:
    data = b"id,name\n" + b"1,North Clinic of Aveda\n" * 1_000 + b"2,\xbd Way Home\n"
    assert detect(data) == Encoding("utf-8", 1_002, strays=1)


def test_utf8_with_many_stray_bytes_is_refused() -> None:
    good, bad = "1,Hôpital Élan\n".encode(), b"1,Ros\xe9e du Ch\xeane\n"
    with pytest.raises(FileError, match=r"is UTF-8 but for 200 bytes; give --encoding utf-8"):
        detect(b"id,name\n" + good * 400 + bad * 100)


def test_a_refusal_shows_the_same_cells_in_each_encoding() -> None:
    with pytest.raises(FileError) as caught:
        detect("id,name\n1,Ñandú\n".encode("cp1252"))
    message = str(caught.value)
    assert "its encoding is not certain; name the one that reads right with --encoding: " in message
    assert "cp1252: 'Ñandú'" in message
    assert "cp1250: 'Ńandú'" in message
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize("byte", [0x5C, 0x7C])
def test_double_bytes_with_an_ascii_half_stay_whole(byte: int) -> None:
    """許 and 功 end with the byte of a back slash, 育 and 悴 with that of a bar."""
    content = text("Taiwanese", 8)
    assert byte in content.encode("cp950")
    assert outcome(content, "cp950") == "right"


@pytest.mark.parametrize("prefix", ["独立行政法人国立病院機構", "医療法人社団", ""])
def test_words_that_repeat_within_japanese_names_count_once(prefix: str) -> None:
    """院, 機, 構 and 法 end with the byte of an ASCII symbol in CP932, where other encodings end a word."""
    towns = ("北海道がん", "函館", "旭川", "帯広", "弘前総合", "八戸", "青森", "盛岡", "花巻", "釜石", "岩手")
    header = "医療機関コード,医療機関名称,郵便番号,所在地,電話番号,病床数"
    rows = [
        f"01{number},{prefix}{town}病院{suffix},0{number}-0010,中央区本町{number}丁目{number}番1号,011-200-{number},{number}床"
        for number, (town, suffix) in enumerate(
            ((town, suffix) for town in towns for suffix in ("北", "東", "")), 10
        )
    ]
    assert outcome("\r\n".join([header, *rows, ""]), "cp932") == "right"


def test_words_that_repeat_within_chinese_names_count_once() -> None:
    names = ("臺北榮民總醫院", "國立臺灣大學醫學院附設醫院", "馬偕紀念醫院", "長庚醫療財團法人")
    branches = ("", "新竹分院", "淡水分院", "高雄分院")
    rows = [
        f"{1101000000 + number},{names[number % 4]}{branches[number // 4 % 4]},{('臺北市', '高雄市')[number % 2]},"
        f"中山路{number + 1}號,02-{20000000 + number},{100 + number}"
        for number in range(40)
    ]
    assert outcome("\r\n".join(["機構代碼,機構名稱,縣市,地址,電話,病床數", *rows, ""]), "cp950") == "right"


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        ("IK;Krankenhausname;Ort\n2601;Klinikum;Köln\n2602;Kreisklinik;Bonn\n2603;Stadtklinik;Jena\n", "cp1252"),
        ("id,namn,ort\n1,Sjukhus,Malmö\n2,Lasarettet,Lund\n", "cp1252"),
        ("id,navn,by\n1,Sygehus Nord,København\n2,Klinik,Aarhus\n3,Hospital,Vejle\n", "cp1252"),
        ("cnes;nome;cidade\n1;SANTA CASA;MARÍLIA\n2;UPA SUL;JACAREÍ\n3;UPA NORTE;CAMPINAS\n", "cp1252"),
        ("nom;ville\nCLINIQUE SAINT JEAN;LYON\nHÔPITAL NORD;MARSEILLE\nCENTRE HOSPITALIER;ANGERS\n", "cp1252"),
    ],
)
def test_one_or_two_accents_decide_if_every_other_reading_has_a_symbol_in_a_word(
    content: str, encoding: str
) -> None:
    assert outcome(content, encoding) == "right"


def test_a_half_of_a_letter_is_no_delimiter_where_the_file_has_one() -> None:
    """The UTF-8 of ä ends with the byte of § in Mac encodings."""
    rows = ("Hämeenlinnan Hoitokoti|Hämeentie 1|Oulu", "Etelä|Hämeentie 2|Turku", "Koskela|Mäkitie 3|Seinäjoki")
    content = "tunnus|nimi|osoite|kunta\n" + "".join(f"10{number}|{row}\n" for number, row in enumerate(rows))
    assert outcome(content, "utf-8") == "right"


def test_text_that_is_hardly_utf8_is_not_called_so() -> None:
    """The encoding of old HP printers is not among those that are looked for."""
    with pytest.raises(FileError) as caught:
        detect(text("Spanish", 50).encode("hp_roman8"))
    assert "is UTF-8 but for" not in str(caught.value)


def test_a_refusal_shows_no_encoding_in_which_every_cell_is_broken() -> None:
    with pytest.raises(FileError) as caught:
        detect("id,name\n1,Ñandú\n2,Hospital Nord\n".encode("cp1252"))
    assert "\ufffd" not in str(caught.value)


@pytest.mark.parametrize("wish", ["zork", "base64", "punycode-2", "rot13"])
def test_an_unknown_encoding_is_refused(wish: str) -> None:
    with pytest.raises(FileError, match="no such text encoding"):
        detect(b"name\nA\n", wish)


def test_a_given_encoding_takes_precedence_and_its_stray_bytes_are_counted() -> None:
    assert detect(text("Russian", 2).encode("cp1251", "ignore"), "cp1252").name == "cp1252"
    assert detect("name\n병원 병원 병원\n".encode("cp949") + b"\xb0,\n", "cp949").strays == 1


def test_a_given_encoding_that_is_plainly_wrong_is_refused() -> None:
    with pytest.raises(FileError, match=r"is not utf-8: \d+ of \d+ bytes"):
        detect(text("Russian", 8).encode("cp1251"), "utf-8")


@pytest.mark.parametrize(
    "data", [bytes(range(256)) * 4, b"\x00\x01\x02\x03" * 100, b"name\n" + b"\x00\x00A\x01" * 50]
)
def test_binary_data_is_refused(data: bytes) -> None:
    with pytest.raises(FileError, match="binary file"):
        detect(data)


def test_nul_characters_are_counted() -> None:
    assert detect(b"name\n" + b"A" * 500 + b"\0\0\n") == Encoding("utf-8", 2, nuls=2)


def test_iso_2022_is_known_by_its_escapes() -> None:
    content = "施設名,住所\nみどり野病院,青空市\n"
    assert content.encode("iso2022_jp").decode(detect(content.encode("iso2022_jp")).name) == content


@pytest.mark.parametrize(("content", "lines"), [("a\nb\n", 2), ("a\nb", 2), ("a\r\nb\r\n", 2), ("a\rb\r", 2)])
def test_lines_are_counted_for_every_line_end(content: str, lines: int) -> None:
    assert detect(content.encode()).lines == lines


@pytest.mark.parametrize("blank", ["", "\u00a0"])
def test_a_list_that_is_ascii_but_for_its_delimiter_is_cp1252(blank: str) -> None:
    rows = [f"{row}¬Oak Hospital¬¬Hill Road {row}¬Leeds" for row in range(100)]
    content = "\n".join(["code¬name¬note¬address¬city", *rows, f"100¬Elm¬{blank}¬Mill Road¬York"]) + "\n"
    assert outcome(content, "cp1252") == "right"


def test_a_delimiter_beyond_ascii_says_nothing_of_the_encoding() -> None:
    rows = [f"{row}¬Oui¬é¬x y¬12¬a".replace(",", "¬x¬12¬") for row in text("French", 4).splitlines()[1:]]
    content = "\n".join(["Hérault", *rows]) + "\n"
    assert outcome(content, "cp1252") == "right"


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        # Only cp1250 and its like have another letter in place of the ligature.
        ("nom;ville\nHÔPITAL PRIVÉ CŒUR DE VILLE;AINAY-LE-CHÂTEAU\nHÔPITAL DES CÔTES;LYON\n", "cp1252"),
        ("Κωδικός;Επωνυμία;Πόλη\n1;Γενικό Νοσοκομείο Άγιος Ανδρέας;Πάτρα\n2;Κέντρο Υγείας;Λάρισα\n", "iso8859_7"),
        (
            "nom;ville\nHôpital de la Côte;Besançon\nClinique des Cèdres;Orléans\nHôpital;Châlons\nÉtienne;L\n",
            "cp850",
        ),
    ],
)
def test_one_letter_tells_two_encodings_apart_that_read_the_rest_alike(content: str, encoding: str) -> None:
    assert detect(content.encode(encoding)).name == encoding
