"""Texts of each language: the names of the Unicode CLDR, and the places, people and companies of Faker.

The CLDR, as Babel packages it, is under the Unicode License V3; Babel is under the BSD License, Faker and its
lists under the MIT License. All of them permit use and distribution; what is kept of them here is how often letters
follow each other.
"""

import importlib
from collections.abc import Iterator
from typing import Any

from babel import Locale

_WESTERN = {
    "en": ("en_US", "en_GB"), "es": ("es_ES", "es_MX", "es_AR", "es_CO", "es_CL"), "pt": ("pt_BR", "pt_PT"),
    "fr": ("fr_FR", "fr_CH", "fr_CA"), "de": ("de_DE", "de_AT", "de_CH"), "it": ("it_IT",),
    "nl": ("nl_NL", "nl_BE"), "da": ("da_DK",), "sv": ("sv_SE",), "nb": ("no_NO",), "fi": ("fi_FI",),
    "is": ("is_IS",), "et": ("et_EE",), "ca": ("es_CA",),
}  # fmt: skip
_EASTERN = {
    "pl": ("pl_PL",), "cs": ("cs_CZ",), "sk": ("sk_SK",), "hu": ("hu_HU",), "sl": ("sl_SI",), "hr": ("hr_HR",),
    "ro": ("ro_RO",), "sq": (), "tr": ("tr_TR",), "az": ("az_AZ",), "lt": ("lt_LT",), "lv": ("lv_LV",),
    "vi": ("vi_VN",),
}  # fmt: skip
_OTHERS = {
    "ru": ("ru_RU",), "uk": ("uk_UA",), "bg": ("bg_BG",), "sr": (), "mk": (), "be": (), "kk": (),
    "el": ("el_GR", "el_CY"), "he": ("he_IL",), "ar": ("ar_AA", "ar_EG", "ar_SA"), "fa": ("fa_IR",),
    "th": ("th_TH", "th"), "zh_hans": ("zh_CN",), "zh_hant": ("zh_TW",), "ja": ("ja_JP",), "ko": ("ko_KR",),
}  # fmt: skip
LANGUAGES = _WESTERN | _EASTERN | _OTHERS
"""The languages, and the locales of Faker for each."""

_CLDR_NAMES = {"zh_hans": "zh_Hans", "zh_hant": "zh_Hant"}
_KINDS = ("address", "person", "company", "job", "lorem", "color", "date_time", "bank")


def texts(language: str) -> list[str]:
    """Return the texts of a language, each once, in a fixed order."""
    found = set(_cldr(_CLDR_NAMES.get(language, language)))
    for locale in LANGUAGES[language]:
        found.update(_faker(locale))
    return sorted(found)


def _cldr(name: str) -> Iterator[str]:
    locale = Locale.parse(name)
    for names in (locale.territories, locale.languages, locale.currencies, locale.scripts):
        yield from map(str, names.values())
    for names in (locale.months, locale.days):
        yield from map(str, names["format"]["wide"].values())


def _faker(locale: str) -> Iterator[str]:
    for kind in _KINDS:
        try:
            provider = importlib.import_module(f"faker.providers.{kind}.{locale}").Provider
        except ImportError:
            # Not every locale has every kind.
            continue
        for name, value in vars(provider).items():
            if not name.startswith("_") and isinstance(value, tuple | list | dict | set | frozenset):
                yield from (text for text in _strings(value) if "{{" not in text)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _strings(key)
            yield from _strings(inner)
    elif isinstance(value, list | tuple | set | frozenset):
        for inner in value:
            yield from _strings(inner)
