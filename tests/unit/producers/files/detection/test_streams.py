"""A compressed file is read to its end, whatever follows its first stream, or refused."""

import bz2
import gzip
import lzma
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from producers.files import FileError
from producers.files.opening import open_table

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

KINDS = pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress, zstd.compress])
HEADER, MORE = b"name,city\n", b"".join(b"Hospital %d,Aveda\n" % number for number in range(60_000))


@KINDS
@pytest.mark.parametrize("padding", [b"", b"\0" * 8])
def test_all_streams_are_read(tmp_path: Path, compress: Callable[[bytes], bytes], padding: bytes) -> None:
    if compress is zstd.compress:
        # It has no padding.
        padding = b""
    path = tmp_path / "list"
    path.write_bytes(padding.join([compress(HEADER), compress(MORE), compress(b"Oak,Brusk\n"), b""]))
    rows = list(open_table(path).rows())
    assert (len(rows), rows[-1].fields) == (60_001, {"name": "Oak", "city": "Brusk"})


@KINDS
@pytest.mark.parametrize("damage", ["garbage", "broken", "cut", "cut at once"])
def test_what_follows_the_first_stream_is_not_dropped(
    tmp_path: Path, compress: Callable[[bytes], bytes], damage: str
) -> None:
    second = compress(MORE)
    tails = {
        "garbage": b"garbage garbage garbage",
        "broken": b"\xff" * 8 + second[8:],
        "cut": second[: len(second) // 2],
        "cut at once": second[:3],
    }
    path = tmp_path / "list"
    path.write_bytes(compress(HEADER + MORE) + tails[damage])
    with pytest.raises(FileError, match=r"fetch it again|unpack it and load the result"):
        list(open_table(path).rows())
