"""The encodings that are looked for, and what is known of them before a byte is seen."""

from collections.abc import Mapping

UNLIKELY: Mapping[str, float] = {
    "utf-8": 0.0,
    "cp1252": 0.5, "cp1250": 2.0, "cp1251": 1.0, "cp1253": 1.5, "cp1254": 2.0, "cp1255": 1.5, "cp1256": 1.5,
    "cp1257": 2.5, "cp1258": 8.0, "cp874": 2.0,
    "gb18030": 1.0, "cp950": 1.5, "big5hkscs": 6.0, "cp932": 1.0, "euc_jp": 2.0, "cp949": 1.0,
    "iso8859_2": 3.0, "iso8859_5": 4.0, "iso8859_6": 5.0, "iso8859_7": 3.5, "iso8859_13": 4.0, "iso8859_15": 3.0,
    "koi8_r": 2.5, "koi8_u": 3.0, "kz1048": 5.0,
    "cp437": 6.5, "cp737": 6.0, "cp775": 7.0, "cp850": 5.5, "cp852": 5.0, "cp857": 6.0, "cp862": 7.0,
    "cp866": 4.0, "cp1125": 6.0,
    "mac_roman": 5.0, "mac_latin2": 7.0,
    "mac_cyrillic": 6.0, "mac_greek": 8.0, "mac_turkish": 8.0,
}  # fmt: skip
"""The encodings and how unlikely each is, in nats: files of DOS and of old Macintoshes are rare.

Where two read the same text, the less unlikely is named. ISO 8859-1 and 8859-9 are not here, because what they
add to cp1252 and cp1254 is control characters.
"""

UNUSUAL = 4.0
"""From which of these numbers on an encoding is so rare that a person should look at what it makes of the names."""

_WESTERN = frozenset(("en", "es", "pt", "fr", "de", "it", "nl", "da", "sv", "nb", "fi", "is", "ca", "et", "sq"))
_CENTRAL = frozenset(("pl", "cs", "sk", "hu", "sl", "hr", "ro", "sq"))

MADE_FOR: Mapping[str, frozenset[str]] = (
    dict.fromkeys(("cp1252", "iso8859_15", "mac_roman", "cp850", "cp437"), _WESTERN)
    | dict.fromkeys(("cp1250", "iso8859_2", "cp852", "mac_latin2"), _CENTRAL)
    | dict.fromkeys(("cp1254", "cp857", "mac_turkish"), frozenset(("tr", "az")))
    | dict.fromkeys(("cp1257", "iso8859_13", "cp775"), frozenset(("lt", "lv", "et")))
    | {"cp1258": frozenset(("vi",)), "kz1048": frozenset(("kk", "ru"))}
)
"""The languages that an encoding was made for, where it was made for few of its alphabet.

Others can be written in it, where they have no letters that it lacks, but hardly anybody does.
"""
