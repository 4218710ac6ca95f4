"""Signs that the text around them gives away: the degree of 51°30', the ordinal of nº 3, the pound of £120.

The byte of such a sign is a letter in other encodings. Where a sign belongs and a letter hardly does, the place
says more than how often either is written.
"""

import re

_FIRST = 0xE000
_NUMBER, _FULL = r"(?<=\d)", r"(?![^\W_])"
# Words that a footnote may hang on. Not any word, because Polish ones end with the letter of that byte.
_NOTED = (
    "[Hh]ospital|HOSPITAL|[Cc]lini[ck]|CLINIC|[Cc]ent(?:er|re)|[Hh]ealth|[Cc]are|[Uu]nit|[Ii]nfirmary|[Ss]ervices|"
    "[Bb]eds|[Kk]rankenhaus|[Kk]linikum|[Bb]etten|[Cc]linique|[Ll]its|[Oo]spedale|[Cc]amas|[Ll]eitos"
)
_ABBREVIATED = "[NnMDCF]|[DdSs]ra?|[Pp]rof|[Ee]xm|[Ii]lm|[Nn]tr|[Ee]ng|[Ee]sq|[Aa]v|[Uu]rb|[Dd]pt|[Hh]n|[Gg]ral"
_OWNERS = (
    "(?i:child|children|women|woman|men|people|king|queen|prince|bishop|mother|father|veteran|nurse|doctor|world|"
    "mary|john|luke|james|joseph|anne?|george|thomas|michael|patrick|vincent|peter|paul|andrew|mark|david|margaret|"
    "elizabeth|francis|catherine|anthony|stephen|barnaba|bartholomew|it|that|what)"
)
_OWNED = (
    "(?:[A-Z][a-z]+ ){0,2}(?:Hospital|Clinic|Medical|Health|Cent(?:er|re)|Care|Home|House|Surgery|Infirmary|"
    "Nursing|Pharmacy|Practice|Family|Dental|Unit|Hospice|Street|Road|Lane|Rd|Memorial|General)"
)
_NOT = "(?i:don|doesn|isn|can|won|aren|didn|hasn|couldn|wouldn|wasn)"
_KINDS: tuple[tuple[str, str, float], ...] = (
    # Degrees of positions and of temperatures. Between bare numbers there may be a Japanese dash.
    ("degree", rf"{_NUMBER}[°º](?= ?\d{{1,2}}(?:[.,]\d+)? ?['\u2019\u2032]| ?[CFNSEWO]{_FULL}|[,;\t\"]|$)", -6.0),
    # N°, nº, Mª and Drª as words of their own.
    ("abbreviation", rf"(?<![^\W_])(?:(?:{_ABBREVIATED})\.?[ºª]|[nN]\.?°){_FULL}|(?<=[nN])[°º](?=\d)", -6.0),
    ("ordinal", rf"{_NUMBER}\.?[ºª]{_FULL}", -6.0),
    ("fraction", rf"(?:{_NUMBER}|(?<= ))[½¼¾]{_FULL}", -6.0),
    ("power", rf"(?<![^\W_])[kcd]?m[²³]{_FULL}", -6.0),
    ("footnote", rf"(?<=[\d)])[¹²³]{_FULL}|(?:{_NOTED})[¹²³]{_FULL}", -2.0),
    ("currency", rf"[£€](?= ?\d)|{_NUMBER} ?€{_FULL}", -6.0),
    ("section", r"§(?= ?\d)", -6.0),
    # Short words may be abbreviations: Drª is Dr™ in the encoding of Macintosh.
    ("mark", rf"(?<=[A-Za-z]{{4}})[®™©]{_FULL}|(?<=[A-Za-z.] )[®™©](?= |\W|$)|©(?= ?\d)", -6.0),
    # English possessives and negations; the elisions of French, Italian, Catalan and Irish names. Not just any
    # word: with the apostrophe for its accent, Solís of Macintosh ends like a possessive.
    ("apostrophe", rf"{_OWNERS}\u2019s{_FULL}|[A-Za-z]{{2}}\u2019s(?= {_OWNED})|{_NOT}\u2019t{_FULL}", -1.0),
    ("elision", r"(?<![^\W_])(?:[LlDdO]|[DdNn]ell|[Dd]all|[Ss]ant|[Qq]u)\u2019(?=[AEIOUHaeiouh][^\W\d_]{2})", -1.0),
)
_SIGN = re.compile("[°º½¼¾ª²³¹£€§®™©\u2019]")
_IN_PLACE = re.compile("|".join(f"(?P<{kind}>{pattern})" for kind, pattern, _ in _KINDS))
_PLACES = {kind: chr(_FIRST + at) for at, (kind, _, _) in enumerate(_KINDS)}
COSTS = {chr(_FIRST + at): cost for at, (_, _, cost) in enumerate(_KINDS)}
"""What a sign in its place costs, in nats, by the private character that `marked` puts there."""


def marked(line: str) -> str:
    """Return the line with each sign that is in its place as the private character of its kind."""
    return _IN_PLACE.sub(_marked, line) if _SIGN.search(line) else line


def _marked(match: re.Match[str]) -> str:
    return _SIGN.sub(_PLACES[match.lastgroup or ""], match[0])
