"""A hospital's identity (`hospital_identity`), and the normalised name that it may be made from.

Two records with the same identity are the same hospital. Feeds hold different hospitals that share a name, so the
identity is the feed's own identifier if there is one; the normalised name is the fallback. The identity is stored
as the document's `_id`.
"""

import unicodedata

NAME_PREFIX = "name"


def normalise_name(name: str) -> str:
    """Fold a name so that Unicode form, case and white space make no difference.

    Case folding can undo a normal form, and normalisation can undo case folding, so both are repeated until nothing
    changes: two rounds for nearly all text. The steps of a round are those of Unicode's compatibility caseless
    matching (The Unicode Standard, section 3.13, D146). Without the first step, NFD, a Greek iota subscript would
    fold to a letter before the accent beside it is in canonical order.
    """
    folded = name
    while True:
        refolded = unicodedata.normalize("NFD", folded).casefold()
        refolded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKD", refolded).casefold())
        refolded = " ".join(refolded.split())
        if refolded == folded:
            return folded
        folded = refolded


def hospital_identity(hospital_name: str, source: str | None, external_id: str | None) -> str:
    """Return the `_id` of a hospital: `source:external_id` if both are given, else `name:` and the normalised name.

    `source` never contains a colon and is never `name` (see `worker.contract.fields.Source`), so an identity of one
    form never equals one of the other form.
    """
    if source is not None and external_id is not None:
        return f"{source}:{external_id}"
    return f"{NAME_PREFIX}:{normalise_name(hospital_name)}"
