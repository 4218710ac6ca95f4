# ruff: noqa: RUF001  (cells in many scripts)

import pytest

from worker.contract.placeholders import is_placeholder_identifier, placeholder_kind, word_key


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "-", "--", "—", "?", "??", ".", "...", "…", "/", "*", "_",
        "NULL", "null", "(null)", "<NULL>", "N/A", "n/a", "n.a.", "N. A.", "n/d", "s/n", "S/D", "#N/A",
        "#REF!", "\\N", "-999", "-9999.0",
        "NOT AVAILABLE", "Not Applicable", "not_available", "Unknown", "UNKNOWN", "unspecified", "TBD", "No data",
        "Sin dato", "sin información", "SIN INFORMACION", "no aplica", "No disponible", "desconocido", "s/d",
        "Não informado", "nao informado", "sem informação", "desconhecido", "ignorado",
        "inconnu", "Inconnue", "non renseigné", "NON RENSEIGNE", "sans objet",
        "unbekannt", "keine Angabe", "k. A.", "nicht verfügbar", "onbekend", "n.v.t.",
        "sconosciuto", "non disponibile", "non pervenuto", "brak danych", "nie dotyczy", "neuvedeno", "b/d",
        "bilinmiyor", "BİLİNMİYOR", "Bilinmeyen", "belirtilmemiş", "tidak diketahui", "Tidak Tersedia",
        "không rõ",
        "不明", "未詳", "該当なし", "未知", "暂无", "不详", "無資料", "미상", "해당 없음", "알 수 없음",
        "неизвестно", "Нет данных", "не указано", "невідомо", "немає даних", "б/н",
        "غير معروف", "غير متوفر", "مجهول", "نامشخص", "לא ידוע", "अज्ञात", "ไม่ทราบ", "άγνωστο",
    ],
)  # fmt: skip
def test_words_for_unknown_are_known_in_many_languages(text: str) -> None:
    assert placeholder_kind(text) == "unknown"
    assert is_placeholder_identifier(text)


@pytest.mark.parametrize(
    "text",
    [
        "none given",
        "なし",
        "無",
        "无",
        "없음",
        "нет",
        "немає",
        "yok",
        "YOK",
        "brak",
        "tidak ada",
        "لا يوجد",
        "ninguno",
    ],
)
def test_words_for_none_are_a_kind_of_their_own(text: str) -> None:
    assert placeholder_kind(text) == "none"
    assert is_placeholder_identifier(text)


@pytest.mark.parametrize("text", ["NA", "na", "None", "NONE", "nan", "NaN", "Nada", "ND", "Leer", "NaT"])
def test_short_words_may_be_names_as_well(text: str) -> None:
    assert placeholder_kind(text) == "short"
    assert is_placeholder_identifier(text) == (text not in ("ND", "Leer"))


@pytest.mark.parametrize(
    "text",
    [
        "Unknown Soldier Hospital", "Nanjing", "Nullarbor", "N", "No", "SI", "0", "-99", "-9990", "A1", "Naples",
        "None Hospital", "Ünye",
        "X", "Sin", "S", "12", "不明病院", "なし病院", "нетания", "x" * 31,
    ],
)  # fmt: skip
def test_other_text_is_a_value(text: str) -> None:
    assert placeholder_kind(text) is None


@pytest.mark.parametrize("text", ["0", "00", "000000", "0.0", "-1", "-999", "-9"])
def test_numbers_that_stand_for_no_identifier(text: str) -> None:
    assert is_placeholder_identifier(text)


@pytest.mark.parametrize(
    "text",
    [
        "1",
        "9",
        "99",
        "9999",
        "999999",
        "11111111",
        "X",
        "xxx",
        "10",
        "007",
        "2576001",
        "A-0",
        "0A",
        "-5",
        "a",
        "5E1",
    ],
)
def test_identifiers(text: str) -> None:
    assert not is_placeholder_identifier(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("N/A", "n.a."),
        ("Não", "nao"),
        ("BİR", "bir"),
        ("ｎ／ａ", "N/A"),
        ("データ なし", "ﾃﾞｰﾀ なし"),
        ("Ёлка", "елка"),
    ],
)
def test_keys_ignore_case_accents_width_and_punctuation(one: str, other: str) -> None:
    assert word_key(one) == word_key(other)


def test_keys_keep_the_vowel_signs_of_indic_scripts_and_thai() -> None:
    assert word_key("นา") != word_key("น")
    assert word_key("हाँ") != word_key("ह")
