"""Texts that lists write where a hospital has no identifier."""

_WORDS = frozenset(
    {"", "-", "--", ".", "?", "0", "na", "n/a", "nan", "none", "null", "nil", "\\n", "unknown", "#n/a"}
)


def is_placeholder_identifier(text: str) -> bool:
    """Return whether the text stands for "no identifier", such as `0`, `-` or `None`."""
    return text.strip().lower() in _WORDS
