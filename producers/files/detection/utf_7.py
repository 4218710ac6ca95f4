"""Finds UTF-7, in which letters beyond ASCII are written in ASCII: `H+APQ-pital`."""

import re
from pathlib import Path

from producers.files.errors import FileError

_SHIFTED = re.compile(rb"[A-Za-z]*\+[A-Za-z0-9+/]{3,}-[A-Za-z]*")


def refuse_utf_7(path: Path, head: bytes) -> None:
    """Raise `FileError` if all that looks like a shift of UTF-7 in the start of an ASCII file is text."""
    words = _SHIFTED.findall(head)
    if not words:
        return
    try:
        texts = [word.decode("utf-7") for word in words]
    except UnicodeDecodeError:
        return
    is_text = all(text.isprintable() and not text.isascii() for text in texts)
    if is_text and any(map(str.isalpha, texts)):
        raise FileError(
            path,
            f"looks like UTF-7, in which {words[0].decode()!r} is {texts[0]!r}; give --encoding utf-7, or utf-8 "
            "if it is not",
        )
