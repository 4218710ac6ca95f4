"""Standard input is copied to a temporary file, because files are read twice; here is what that is called."""

from pathlib import Path

SPOOLED = "standard-input"
"""The name of the copy. An import is called after it."""
STANDARD_INPUT = "standard input"
"""What a person knows the copy as."""
SPOOL_PREFIX = "hospital-producer-"
"""How the name of the temporary folder begins that the copy is in."""


def spooled_part(path: Path) -> str | None:
    """Return what a path names in the copy of standard input: "" for the copy itself, None for any other file."""
    for copy in (path, *path.parents):
        if copy.name == SPOOLED and copy.parent.name.startswith(SPOOL_PREFIX):
            return path.relative_to(copy).as_posix() if path != copy else ""
    return None


def shown_path(path: Path) -> str:
    """Return a path as a person knows the file: as it was given, or `standard input` and what is in it."""
    part = spooled_part(path)
    return str(path) if part is None else "/".join(filter(None, (STANDARD_INPUT, part)))
