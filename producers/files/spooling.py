"""Copies in temporary files, because files are read twice: of standard input and of uploads; and their names."""

from pathlib import Path

SPOOLED = "standard-input"
"""The name of the copy of standard input. An import is called after it."""
STANDARD_INPUT = "standard input"
"""What a person knows that copy as."""
SPOOL_PREFIX = "hospital-producer-"
"""How the name of the temporary folder begins that the copy of standard input is in."""
UPLOAD_PREFIX = "hospital-gateway-"
"""How the name of the temporary folder begins that an uploaded file is in, under its own name."""


def spooled_part(path: Path) -> str | None:
    """Return what a path names in the copy of standard input: "" for the copy itself, None for any other file."""
    for copy in (path, *path.parents):
        if copy.name == SPOOLED and copy.parent.name.startswith(SPOOL_PREFIX):
            return path.relative_to(copy).as_posix() if path != copy else ""
    return None


def shown_path(path: Path) -> str:
    """Return a path as a person knows the file: as it was given or sent, or `standard input` and what is in it."""
    part = spooled_part(path)
    if part is not None:
        return "/".join(filter(None, (STANDARD_INPUT, part)))
    folder = next((it for it in path.parents if it.name.startswith(UPLOAD_PREFIX)), None)
    return str(path if folder is None else path.relative_to(folder))
