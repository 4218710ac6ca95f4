"""Which text the bytes of a sample can be: every candidate encoding with how unlikely its text is."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from producers.files.detection.candidates import MADE_FOR, UNLIKELY
from producers.files.detection.header_languages import unlikely_by_header
from producers.files.detection.letters import Ideographs, Language, languages, script_of, shape
from producers.files.detection.signs import marked

_NOT_MADE_FOR = 4.0
# In a list in another script, nearly every line has a letter of it. A few lines with odd bytes are no such list.
_SELDOM, _FEW, _SELDOM_ANOTHER_SCRIPT = 0.05, 5, 10.0
_ANOTHER_LANGUAGE = 3.5  # nats for a word of another language than the rest of the file
_NOT_OF_HEADER = 4.0  # nats at most for a word of a language that the header is not in
_NOT_MADE_FOR_HEADER = 1.0
_MOST_WORDS = 400
_BYTES_OF_WORD = re.compile(rb"[A-Za-z]*[\x80-\xff][A-Za-z\x80-\xff]*")
_SYMBOL = re.compile(rb"[\x00-@\[-`{-\x7f]")
_NEVER = 1e9
_MANY_CELLS, _FEW_CELLS = 0.3, 0.7
_SYMBOLS_BETWEEN_CELLS = "¬¦§¶"
# ASCII words are a hint only: headers are English, and the names of the country's own language may be few.
_WEIGHT_OF_ASCII, _MOST_UNLIKELY = 0.4, 6.0


@dataclass(slots=True)
class Reading:
    """The sample as one encoding reads it.

    `cost` is in nats; `per_byte` is the part of each byte beyond ASCII. `words` are those that hold characters
    beyond ASCII, `same` the other encodings that read the same text.
    """

    encoding: str
    lines: list[str]
    cost: float = 0.0
    per_byte: float = 0.0
    strays: int = 0
    language: str = ""
    words: list[str] = field(default_factory=list)
    same: list[str] = field(default_factory=list)


def judge(lines: Sequence[bytes], context: bytes = b"", share: float = 1.0, header: bytes = b"") -> list[Reading]:
    """Return how each candidate reads these lines, the likeliest first. Encodings that read the same text are one.

    `context` is other text of the file. Its ASCII words, the same in all encodings, tell which language is likely.
    `share` is the part of the file's lines that have bytes beyond ASCII. `header` is the first line.
    """
    readings: dict[tuple[str, ...], Reading] = {}
    memory: dict[str, Mapping[str, float]] = {}
    by_header = unlikely_by_header(header)
    unlikely = {code: max(cost, by_header.get(code, 0.0)) for code, cost in _unlikely_languages(context).items()}
    # How unlikely each language is for any word at all.
    strange = {code: min(cost, _NOT_OF_HEADER) for code, cost in by_header.items()}
    if share < _SELDOM and len(lines) <= _FEW:
        strange |= {code: _SELDOM_ANOTHER_SCRIPT for code in languages() if code not in unlikely}
    enough = _enough(lines)
    for encoding in UNLIKELY:
        reading = _read(lines, encoding)
        if reading is None:
            continue
        known = readings.setdefault(tuple(reading.lines), reading)
        if known is reading:
            _weigh(reading, enough, memory, unlikely, strange)
            reading.cost += UNLIKELY[encoding] + _NOT_MADE_FOR_HEADER * _is_for_others(encoding, by_header)
        elif UNLIKELY[encoding] < UNLIKELY[known.encoding]:
            known.cost += UNLIKELY[encoding] - UNLIKELY[known.encoding]
            known.same.append(known.encoding)
            known.encoding = encoding
        else:
            known.same.append(encoding)
    return sorted(readings.values(), key=lambda reading: reading.cost)


def rivals_of(readings: Sequence[Reading], margin: Callable[[Reading], float]) -> list[Reading]:
    """Return the readings that the first one, the likeliest, is not likelier than by a margin in nats."""
    best = readings[0]
    rivals = [it for it in readings[1:] if it.cost - best.cost < margin(it)]
    # Beyond ASCII there may be only delimiters: then what has no words either reads every cell alike.
    return rivals if best.words else [it for it in rivals if it.words]


def _is_for_others(encoding: str, by_header: Mapping[str, float]) -> bool:
    """Return whether the encoding was made for other languages than those that the header may be in."""
    made_for = MADE_FOR.get(encoding)
    return made_for is not None and bool(by_header) and not any(by_header.get(code) == 0 for code in made_for)


def _read(lines: Sequence[bytes], encoding: str) -> Reading | None:
    strays, texts = 0, []
    limit = 2 + len(lines) // 20
    for line in lines:
        try:
            texts.append(line.decode(encoding))
        except UnicodeDecodeError:
            text = line.decode(encoding, "surrogateescape")
            strays += sum("\udc80" <= character <= "\udcff" for character in text)
            if strays > limit and encoding != "utf-8":
                return None
            texts.append(text)
    return Reading(encoding, texts, strays=strays)


def _enough(lines: Sequence[bytes]) -> int:
    """Return how many of the lines to weigh: the same in all encodings, or one that reads less would cost less."""
    words: set[bytes] = set()
    for number, line in enumerate(lines, 1):
        words.update(_BYTES_OF_WORD.findall(line))
        if len(words) >= _MOST_WORDS:
            return number
    return len(lines)


def words_of(text: str) -> Iterator[str]:
    """Yield the runs of letters and of whatever else is beyond ASCII, if they hold something beyond ASCII."""
    start, beyond = -1, False
    for index, character in enumerate(text):
        if character.isalpha() or not character.isascii():
            if start < 0:
                start = index
            beyond = beyond or not character.isascii()
        elif start >= 0:
            if beyond:
                yield text[start:index]
            start, beyond = -1, False
    if start >= 0 and beyond:
        yield text[start:]


def _parts(word: str, encoding: str) -> Iterator[str]:
    """Yield the parts of a word that end with a double byte whose second half is an ASCII symbol or digit.

    In the other encodings a word ends there. Every part counts once, however often it is repeated; if whole words
    counted here, an encoding would cost more the more often its text repeats itself.
    """
    start = 0
    if _SYMBOL.search(word.encode(encoding, "ignore")):
        for index, character in enumerate(word, 1):
            if not character.isascii() and _SYMBOL.search(character.encode(encoding, "ignore")[-1:]):
                yield word[start:index]
                start = index
    if not word[start:].isascii():
        yield word[start:]


def _weigh(
    reading: Reading,
    enough: int,
    memory: dict[str, Mapping[str, float]],
    unlikely: Mapping[str, float],
    strange: Mapping[str, float],
) -> None:
    delimiters = _delimiters(reading.lines)
    distinct: dict[str, None] = {}
    without_delimiters = str.maketrans(dict.fromkeys(delimiters, " "))
    for line in reading.lines[:enough]:
        for word in words_of(marked(line.translate(without_delimiters))):
            if word.isspace():
                # A no-break space is no word of any language.
                continue
            distinct.update(dict.fromkeys(_parts(word, reading.encoding)))
    reading.words = list(distinct)
    beyond = sum(_length(word, reading.encoding) for word in distinct)
    costs = []
    for word in distinct:
        composed = unicodedata.normalize("NFC", word)
        if composed not in memory:
            memory[composed] = {code: cost + strange.get(code, 0.0) for code, cost in _costs(composed).items()}
        costs.append(memory[composed])
    fixed = sum(map(shape, distinct))
    least = [min(known.values()) for known in costs]
    found: dict[str, float] = {}
    made_for = MADE_FOR.get(reading.encoding)
    for code in languages():
        found[code] = unlikely.get(code, 0.0) + sum(
            min(known.get(code, _NEVER), lowest + _ANOTHER_LANGUAGE)
            for known, lowest in zip(costs, least, strict=True)
        )
        if made_for is not None and code not in made_for:
            found[code] += _NOT_MADE_FOR
    reading.language = min(found, key=found.__getitem__)
    text = fixed + found[reading.language]
    reading.cost = text
    reading.per_byte = text / max(beyond, 1)


def _delimiters(lines: Sequence[str]) -> list[str]:
    """Return the symbols that stand equally often in most lines, as ¬ does: they are not part of any word.

    Titles, and lines that are a part of a row, have fewer of them. Where an ASCII delimiter is as regular, there is
    no other: the symbol is a part of a letter that is read wrong.
    """
    found = []
    ascii_delimiters = [_evenness(lines, mark) for mark in ",;\t|"]
    for mark in _SYMBOLS_BETWEEN_CELLS:
        rows, count = _evenness(lines, mark)
        if any(others >= rows and each >= count for others, each in ascii_delimiters):
            continue
        # Twice in a line may be chance.
        if rows >= 3 and rows >= (_MANY_CELLS if count > 2 else _FEW_CELLS) * len(lines):
            found.append(mark)
    return found


def _evenness(lines: Sequence[str], mark: str) -> tuple[int, int]:
    """Return in how many lines the mark stands equally often, and how often. Once in a line may be chance."""
    counts = Counter(count for line in lines if (count := line.count(mark)) > 1)
    count, rows = max(counts.items(), key=lambda it: (it[1], it[0]), default=(0, 0))
    return rows, count


def _unlikely_languages(context: bytes) -> Mapping[str, float]:
    """Return how unlikely each language of the Latin alphabet is, in nats, by the ASCII words of a text."""
    found = re.findall(rb"(?<![\x80-\xff])[A-Za-z]{3,}(?![\x80-\xff])", context)
    words = dict.fromkeys(word.decode("ascii") for word in found)
    latin = {code: language for code, language in languages().items() if language.script == "LATIN"}
    excess = dict.fromkeys(latin, 0.0)
    for word in islice(words, _MOST_WORDS):
        costs = {code: language.cost(word) for code, language in latin.items()}
        least = min(costs.values())
        for code, cost in costs.items():
            excess[code] += min(cost - least, _ANOTHER_LANGUAGE)
    least = min(excess.values())
    return {code: min(_MOST_UNLIKELY, _WEIGHT_OF_ASCII * (total - least)) for code, total in excess.items()}


def _length(word: str, encoding: str) -> int:
    return sum(1 if character.isascii() else len(character.encode(encoding, "replace")) for character in word)


def _costs(word: str) -> Mapping[str, float]:
    scripts = {script_of(character) for character in word}
    found = {code: language.cost(word) for code, language in languages().items() if _writes(language, scripts)}
    return found or {code: language.cost(word) for code, language in languages().items()}


def _writes(language: Language, scripts: set[str]) -> bool:
    if isinstance(language, Ideographs):
        return not scripts.isdisjoint(language.scripts)
    return language.script in scripts
