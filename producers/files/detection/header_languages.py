"""In which language a header is: not the letters, which are in doubt, but the words that are known without them."""

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

# One word is in several languages, and one of them may stand in any header.
_FEWEST = 2
_FEWER_WORD, _MOST = 4.0, 12.0
_WORD = re.compile(rb"(?<![A-Za-z\x80-\xff])[A-Za-z]{2,}(?![A-Za-z\x80-\xff])")


def unlikely_by_header(header: bytes) -> Mapping[str, float]:
    """Return how much less likely, in nats, each language is than the one that the header is in.

    Empty if the header does not say: headers in English stand above names in any language.
    """
    found = {word.decode("ascii").lower() for word in _WORD.findall(header)}
    counts = {language: len(found & words) for language, words in _words().items()}
    most = max(counts.values())
    if most < _FEWEST or counts["en"] >= most:
        return {}
    return {language: min(_MOST, _FEWER_WORD * (most - count)) for language, count in counts.items()}


@cache
def _words() -> Mapping[str, frozenset[str]]:
    table = tomllib.loads(files(__package__).joinpath("header_words.toml").read_text(encoding="utf-8"))
    return {language: frozenset(words) for language, words in table.items()}
