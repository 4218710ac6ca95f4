"""A note on hospitals whose name is only a number: it may be the count of a total, or a code."""

from producers.files.values import FileRow


class NumberNames:
    """Counts the rows with a record whose name has no letter."""

    def __init__(self) -> None:
        self._count = 0
        self._first = ""

    def take_in(self, row: FileRow) -> None:
        """Take one row."""
        name = row.known.get("hospital_name") if row.known is not None else None
        # Nearly every name begins with a letter, which is fast to know.
        if not isinstance(name, str) or name[:1].isalpha() or any(map(str.isalpha, name)):
            return
        self._count += 1
        self._first = self._first or f"{name[:40]!r} in line {row.line}"

    def notes(self) -> list[str]:
        """Return what a person should know: one sentence if there are such names."""
        if not self._count:
            return []
        return [
            f"names of hospitals that are only a number: {self._count:,}, first {self._first}; check these rows"
        ]
