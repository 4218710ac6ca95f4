"""Reads names of columns whose words end with a point: "Γεωγρ. Πλάτος", "Cód. Post.", "Geogr. Breite"."""

import re
import unicodedata

from producers.files.columns.name_table import name_key, name_table, name_tokens

_ABBREVIATED_COST = 4
_SHORTEST = 3
# Without a blank behind it, a point is that of a nested object: "reg.name".
_WORD = re.compile(r"[^\W\d_]+(?:\.(?!\S))?")


def fields_of_abbreviation(column: str) -> dict[str, int]:
    """Return the fields of the known names that a name abbreviates, and the cost of each; none if they differ.

    At least one word has no point, because two beginnings may be those of anything.
    """
    words = _WORD.findall(unicodedata.normalize("NFKC", column))
    short = {position for position, word in enumerate(words) if word.endswith(".")}
    tokens = name_tokens(column)
    if not 0 < len(short) < len(words) or len(tokens) != len(words):
        return {}
    if any(len(tokens[position]) < _SHORTEST for position in short):
        return {}
    found = [
        name_table().fields[name_key(" ".join(phrase))]
        for phrase in name_table().phrases.get(len(tokens), ())
        if all(
            word.startswith(token) if position in short else word == token
            for position, (token, word) in enumerate(zip(tokens, phrase, strict=True))
        )
    ]
    if len({min(fields, key=lambda field: fields[field]) for fields in found}) != 1:
        return {}
    best = min(found, key=lambda fields: min(fields.values()))
    return {field: cost + _ABBREVIATED_COST for field, cost in best.items() if field != "hospital_name"}
