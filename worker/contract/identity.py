"""A hospital's identity (`hospital_identity`), and the normalised name that it may be made from.

Two records with the same identity are the same hospital. Feeds hold different hospitals that share a name, so the
identity is the feed's own identifier if there is one; the normalised name is the fallback. The identity is stored
as the document's `_id`.
"""

import unicodedata

NAME_PREFIX = "name"


def normalise_name(name: str) -> str:
    """Fold a name so that Unicode form, case and white space make no difference.

    Case folding can undo a normal form (and the reverse), so both are repeated until nothing changes;
    that takes two rounds for nearly all text. The steps of a round are those of Unicode's compatibility
    caseless matching (The Unicode Standard, section 3.13, D146): without the first, a Greek iota subscript
    folds to a letter before the accent beside it has found its place.
    """
    folded = name
    while True:
        again = unicodedata.normalize("NFD", folded).casefold()
        again = unicodedata.normalize("NFKC", unicodedata.normalize("NFKD", again).casefold())
        again = " ".join(again.split())
        if again == folded:
            return folded
        folded = again


def hospital_identity(hospital_name: str, source: str | None, external_id: str | None) -> str:
    """Return the `_id` of a hospital: `source:external_id`, or `name:` and the normalised name.

    `source` never contains a colon and is never `name` (see `worker.contract.fields.Source`), so the two forms
    cannot meet.
    """
    if source is not None and external_id is not None:
        return f"{source}:{external_id}"
    return f"{NAME_PREFIX}:{normalise_name(hospital_name)}"
