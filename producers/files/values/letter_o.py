"""The O of a longitude: west in the Romance languages (oeste, ouest), east in German (Ost). Its column decides."""

from collections.abc import Collection, Iterable, Sequence
from typing import Literal

from producers.files.values.countries import sides_of
from producers.files.values.letters import alone
from worker.contract.placeholders import word_key

MeaningOfO = Literal["", "E", "W"]
"""What an O stands for in a column; empty if that is not known."""

_O = alone("[Oo]")
_EAST, _WEST = alone("[Ee]|L|[Ee]ste?|[Ll]este|[Ee]ast"), alone("[Ww]|[Ww]est")
# Beginnings of words of names of columns, without accents; "longitude" is of several languages.
_GERMAN = ("lange", "laenge", "breite", "krankenhaus", "klinik", "strasse", "ort", "plz", "postleitzahl", "betten")
_ROMANCE = (
    *(
        "longitud",
        "coordenada",
        "coordonnee",
        "coordinata",
        "ubicacion",
        "nombre",
        "nome",
        "nom",
        "hopital",
        "ospedale",
    ),
    *(
        "municipio",
        "cidade",
        "ciudad",
        "ville",
        "commune",
        "comune",
        "adresse",
        "direccion",
        "endereco",
        "indirizzo",
    ),
    *("camas", "leitos", "lits", "telefone", "codigo", "etablissement", "estabelecimento", "establecimiento"),
)


def meaning_of_o(cells: Iterable[object], columns: Sequence[str], countries: Collection[str]) -> MeaningOfO:
    """Return what an O means in a column of longitudes or positions, by a sample of its cells.

    The other letter of the column says it, else the side on which the countries of the file are, else the language
    of `columns`, the names of those that are read.
    """
    texts = [cell for cell in cells if isinstance(cell, str)]
    if not any(map(_O.search, texts)):
        return ""
    has_east, has_west = any(map(_EAST.search, texts)), any(map(_WEST.search, texts))
    if has_east or has_west:
        return "" if has_east and has_west else "W" if has_east else "E"
    sides = {side for country in countries for side in sides_of(country)}
    if len(sides) == 1:
        return sides.pop()
    words = {word for column in columns for word in word_key(column).split()} - {"longitude"}
    is_german, is_romance = (any(word.startswith(its) for word in words) for its in (_GERMAN, _ROMANCE))
    if is_german == is_romance:
        return ""
    return "E" if is_german else "W"
