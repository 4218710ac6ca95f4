"""Undoes the compression of a file: gzip, bzip2, xz, Zstandard, or one member of a ZIP archive, always streamed."""

import bz2
import gzip
import io
import lzma
import sys
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from producers.files.detection.streams import Streams
from producers.files.errors import FileError
from producers.files.table import Compression

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_MAGIC: tuple[tuple[bytes, Compression], ...] = (
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bz2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"PK\x03\x04", "zip"),
)
_NAMES = {"gzip": "gzip", "bz2": "bzip2", "xz": "xz", "zstd": "Zstandard", "zip": "ZIP"}
# Text shrinks to a tenth, rarely to a fiftieth. Data that shrinks to a thousandth was made to fill a disk.
_MOST_EXPANSION = 1_000
_ALWAYS_ALLOWED = 1 << 28
_ENCRYPTED = 1
# What archives of office documents hold; such an archive is the document, not a parcel of files.
_DOCUMENT_PARTS = ("[Content_Types].xml", "mimetype", "xl/workbook.xml", "xl/workbook.bin")


class _Bounded(io.RawIOBase):
    """A stream that refuses to expand to more than a bound: a small file must not keep a loader busy for days."""

    def __init__(self, path: Path, stream: BinaryIO, most: int) -> None:
        self._path, self._stream, self._left = path, stream, most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(cast(bytearray, buffer)).cast("B")
        data = self._stream.read(min(len(view), 1 << 20))
        self._left -= len(data)
        if self._left < 0:
            raise FileError(
                self._path,
                f"expands to more than {_MOST_EXPANSION:,} times its size; "
                "if that is right, uncompress it and load the result",
            )
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._stream.close()
        super().close()


def archive_of(path: Path) -> tuple[Path, str]:
    """Split the path of a member, such as `lists.zip/north/a.csv`, into its archive and its name in it.

    The name is "" if the path is a file of its own.
    """
    if path.exists():
        return path, ""
    for parent in path.parents:
        if parent.is_file():
            return parent, path.relative_to(parent).as_posix()
    return path, ""


def members(path: Path) -> list[str]:
    """Return the names of the files in a ZIP archive, without folders and what macOS adds.

    Empty if the file is not an archive of files: an Excel workbook is a ZIP archive, too.
    """
    with path.open("rb") as file:
        if file.read(4) != b"PK\x03\x04":
            return []
    with reading(path), zipfile.ZipFile(path) as archive:
        names = [member.filename for member in archive.infolist() if not member.is_dir()]
    if any(part in names for part in _DOCUMENT_PARTS):
        return []
    return [name for name in names if not name.startswith("__MACOSX/") and not Path(name).name.startswith(".")]


def compression_of(path: Path) -> Compression:
    """Return how a file is compressed, by its first bytes. A document that is a ZIP archive itself is not."""
    archive, member = archive_of(path)
    if member:
        return "zip"
    with archive.open("rb") as file:
        found = compression_by(file.read(6))
    return "" if found == "zip" and not members(path) else found


def compression_by(head: bytes) -> Compression:
    """Return how data with these first bytes is compressed. A document may be a ZIP archive itself."""
    return cast(Compression, next((name for magic, name in _MAGIC if head.startswith(magic)), ""))


@contextmanager
def open_bytes(path: Path, compression: Compression) -> Iterator[BinaryIO]:
    """Open the bytes of a file, uncompressed. Raises `FileError` for an archive that holds several files."""
    archive, member = archive_of(path)
    most = max(_ALWAYS_ALLOWED, _MOST_EXPANSION * archive.stat().st_size)
    with archive.open("rb") as file:
        if not compression:
            yield cast(BinaryIO, file)
            return
        with _opened(path, file, compression, member) as stream:
            yield cast(BinaryIO, io.BufferedReader(_Bounded(path, stream, most), 1 << 18))


def _opened(path: Path, file: BinaryIO, compression: Compression, member: str) -> BinaryIO:
    if compression == "gzip":
        return cast(BinaryIO, gzip.GzipFile(fileobj=file))
    if compression == "bz2":
        return cast(BinaryIO, Streams(path, file, bz2.BZ2Decompressor))
    if compression == "xz":
        return cast(BinaryIO, Streams(path, file, lzma.LZMADecompressor))
    if compression == "zstd":
        return cast(BinaryIO, zstd.ZstdFile(file))
    archive = zipfile.ZipFile(file)
    names = [member] if member else members(path)
    if repeated := [name for name, count in Counter(archive.namelist()).items() if count > 1 and name in names]:
        # A name finds only the last of them.
        raise FileError(
            path,
            f"contains several files of the name {repeated[0]!r}; unpack each under a name of its own "
            "(`unzip -B` keeps all of them) and load these",
        )
    if len(names) != 1:
        shown = ", ".join(f"{path}/{name}" for name in names[:5])
        raise FileError(path, f"contains {len(names)} files; name one of them: {shown}")
    try:
        found = archive.getinfo(names[0])
    except KeyError:
        raise FileError(path, "is not in the archive; `unzip -l` lists what is") from None
    if found.flag_bits & _ENCRYPTED:
        raise FileError(path, "is encrypted; unpack it and load the result")
    return cast(BinaryIO, archive.open(found))


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn the errors of reading a file into `FileError`."""
    try:
        yield
    except EOFError:
        raise FileError(path, "ends in the middle of its compressed data; fetch it again") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise FileError(path, f"contains broken gzip data ({error}); fetch it again") from None
    except (lzma.LZMAError, zstd.ZstdError, zipfile.BadZipFile, NotImplementedError) as error:
        raise FileError(path, f"cannot be uncompressed ({error}); unpack it and load the result") from None
    except UnicodeError as error:
        raise FileError(path, f"cannot be decoded ({error}); give another --encoding") from None
    except OSError as error:
        raise FileError(path, f"cannot be read: {error.strerror or error}") from None


def name_of(compression: Compression) -> str:
    """Return how people call a compression."""
    return _NAMES[compression]
