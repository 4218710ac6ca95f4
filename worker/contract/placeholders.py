"""Text that stands for a missing identifier."""

_PLACEHOLDERS = frozenset(
    ("", "-", "--", "?", ".", "na", "n/a", "n.a.", "null", "none", "nan", "nil", "unknown", "\\n", "not available")
)


def is_placeholder_identifier(text: str) -> bool:
    """Return whether the text cannot be an identifier: a placeholder, or zeros alone."""
    folded = text.strip().casefold()
    return folded in _PLACEHOLDERS or (folded.strip("0.") == "" and folded != "")
