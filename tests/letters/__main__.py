"""Makes `producers/files/detection/letters.json` anew: how often letters follow each other in each language.

    pip install babel==2.19.0 faker==40.63.0    # in an environment of its own; nothing else needs them
    python -m tests.letters producers/files/detection/letters.json

`texts.py` says from which texts, and what their licences are. The tests of `detection` decide whether new data is
better.
"""

import json
import math
import sys
import tomllib
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path

from tests.letters.texts import LANGUAGES, texts

# As `producers.files.detection.letters` reads them.
_STEP, _DIGITS = 0.25, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_SCRIPTS = {
    "ru": "CYRILLIC", "uk": "CYRILLIC", "bg": "CYRILLIC", "sr": "CYRILLIC", "mk": "CYRILLIC", "be": "CYRILLIC",
    "kk": "CYRILLIC", "el": "GREEK", "he": "HEBREW", "ar": "ARABIC", "fa": "ARABIC", "th": "THAI",
}  # fmt: skip
_IDEOGRAPHIC = frozenset(("zh_hans", "zh_hant", "ja", "ko"))
_APOSTROPHES = "'\u2019"
# Romanian's letters with a comma below, and what older encodings have in their place.
_WITH_CEDILLA = str.maketrans("șțȘȚ", "şţŞŢ")
# The usual words of hospital lists count as much as so large a part of all other words.
_SHARE_OF_VOCABULARY, _SHARE_OF_VOCABULARY_IDEOGRAPHIC = 0.15, 0.45
# Rarer letters are those of foreign names.
_RAREST_LETTER, _FEWEST_LETTERS = 2e-5, 6
# A pair that was never seen is as likely as its letters are: so many pairs for each letter count for that.
_PSEUDO_COUNTS, _MOST_SEEN, _SHARE_BY_LETTER = 4, 0.97, 0.9
_RAREST_CHARACTER, _SHARE_OF_FREQUENT, _SHARE_OF_KANA = 1.2e-4, 0.85, 0.05
_FIRST_IDEOGRAPH, _KANA = "\u2e80", range(0x3041, 0x30FF)


def words(text: str) -> list[str]:
    """Return the words of a text; an apostrophe within belongs to its word."""
    found, word = [], ""
    for character in text + " ":
        is_letter = character.isalpha() and character not in "ºª°"
        if is_letter or unicodedata.category(character)[0] == "M" or (word and character in _APOSTROPHES):
            word += character
        elif word:
            found.append(word.rstrip(_APOSTROPHES))
            word = ""
    return found


def alphabetic(language: str, vocabulary: list[str]) -> dict[str, object]:
    """Return the letters of a language, and the cost of each after each other one; a blank is a word's edge."""
    single: defaultdict[str, float] = defaultdict(float)
    pairs: defaultdict[str, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
    for word, count in _counted_words(language, vocabulary).items():
        lower = word.lower().replace("i̇", "i")
        if not all(_is_of(character, _SCRIPTS.get(language, "LATIN")) for character in lower):
            continue
        before = " "
        for letter in lower.translate(dict.fromkeys(map(ord, _APOSTROPHES))):
            single[letter] += count
            pairs[before][letter] += count
            before = letter
        pairs[before][" "] += count
        single[" "] += count
    total = sum(single.values())
    kept = [it for it, count in single.items() if count / total > _RAREST_LETTER or count > _FEWEST_LETTERS]
    letters = "".join(sorted(kept))
    rows = []
    for first in letters:
        seen = sum(pairs[first][second] for second in letters)
        trust = _MOST_SEEN * seen / (seen + _PSEUDO_COUNTS * len(letters))
        rows.append("".join(
            _digit(
                trust * (pairs[first][second] / seen if seen else 0)
                + (1 - trust) * (_SHARE_BY_LETTER * single[second] / total + (1 - _SHARE_BY_LETTER) / len(letters))
            )
            for second in letters
        ))  # fmt: skip
    return {"letters": letters, "bigrams": rows}


def ideographic(language: str, vocabulary: list[str]) -> dict[str, object]:
    """Return the frequent characters of a language, the most frequent first, and the cost of each."""
    counts = Counter(
        character
        for text in texts(language)
        for character in unicodedata.normalize("NFC", text)
        if character >= _FIRST_IDEOGRAPH
    )
    # The lists of Faker repeat a few characters.
    damped = {character: count**0.75 for character, count in counts.items()}
    total = sum(damped.values())
    if language == "ja":
        for kana in map(chr, _KANA):
            damped[kana] = damped.get(kana, 0.0) + total * _SHARE_OF_KANA / len(_KANA)
    usual = Counter("".join(vocabulary))
    all_usual = sum(usual.values())
    share = _SHARE_OF_VOCABULARY_IDEOGRAPHIC
    likely = {
        it: (1 - share) * damped.get(it, 0.0) / total + share * usual[it] / all_usual
        for it in damped.keys() | usual.keys()
        if it >= _FIRST_IDEOGRAPH
    }
    frequent = [it for it in likely if likely[it] * _SHARE_OF_FREQUENT > _RAREST_CHARACTER]
    frequent.sort(key=lambda it: (-likely[it], it))
    costs = "".join(_digit(_SHARE_OF_FREQUENT * likely[it]) for it in frequent)
    return {"characters": "".join(frequent), "costs": costs}


def _counted_words(language: str, vocabulary: list[str]) -> Mapping[str, float]:
    counts = Counter(word for text in texts(language) for word in words(unicodedata.normalize("NFC", text)))
    # Names repeat in the lists of Faker.
    weights = {word: math.sqrt(count) for word, count in counts.items()}
    usual = [word for text in vocabulary for word in words(text)]
    weight = max(_SHARE_OF_VOCABULARY * sum(weights.values()) / len(usual), 2)
    for word in usual:
        weights[word] = weights.get(word, 0.0) + weight
    if language == "ro":
        weights |= {word.translate(_WITH_CEDILLA): weight for word, weight in weights.items()}
    return weights


def _is_of(character: str, script: str) -> bool:
    is_mark = character in _APOSTROPHES or unicodedata.category(character)[0] == "M"
    return is_mark or unicodedata.name(character, "").startswith(script)


def _digit(probability: float) -> str:
    return _DIGITS[max(0, min(len(_DIGITS) - 1, round(-math.log(probability) / _STEP)))]


def main() -> None:
    """Write the data of all languages to the file that the command line names."""
    vocabularies = tomllib.loads(Path(__file__).with_name("vocabulary.toml").read_text("utf-8"))
    data = {
        language: (ideographic if language in _IDEOGRAPHIC else alphabetic)(
            language, vocabularies[language].split()
        )
        for language in LANGUAGES
    }
    Path(sys.argv[1]).write_text(json.dumps(data, ensure_ascii=False, indent=0), encoding="utf-8")


if __name__ == "__main__":
    main()
