"""The digest of a file, by which an import of the same file is recognised."""

import hashlib
from pathlib import Path

from producers.files.detection.compression import archive_of, reading
from producers.files.errors import FileError

_AT_ONCE = 1 << 20


def file_digest(path: Path) -> tuple[int, str]:
    """Return the size of a file in bytes and the SHA-256 of its bytes; of a member of an archive, those of that.

    Raises `FileError` if it cannot be read.
    """
    archive, member = archive_of(path)
    digest = hashlib.sha256(member.encode())
    size = 0
    with reading(path), archive.open("rb") as file:
        while data := file.read(_AT_ONCE):
            digest.update(data)
            size += len(data)
    if not size:
        raise FileError(path, "is empty")
    return size, digest.hexdigest()
