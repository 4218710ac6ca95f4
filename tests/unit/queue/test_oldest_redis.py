"""The scripts keep to Redis 6.2, although the packaged server is newer."""

import re
from pathlib import Path

import pytest

from worker.queue import scripts

# Commands on keys, strings, lists, hashes and sorted sets that came after Redis 6.2.
_NEWER = frozenset(
    [
        "BLMPOP",
        "BZMPOP",
        "EXPIRETIME",
        "FCALL",
        "FUNCTION",
        "HEXPIRE",
        "HEXPIREAT",
        "HEXPIRETIME",
        "HGETDEL",
        "HGETEX",
        "HPERSIST",
        "HPEXPIRE",
        "HPEXPIREAT",
        "HPEXPIRETIME",
        "HPTTL",
        "HSETEX",
        "HTTL",
        "LCS",
        "LMPOP",
        "MSETEX",
        "PEXPIRETIME",
        "SINTERCARD",
        "ZINTERCARD",
        "ZMPOP",
    ]
)
_SCRIPTS = sorted((Path(scripts.__file__).parent / "lua").glob("*.lua"))


@pytest.mark.parametrize("script", _SCRIPTS, ids=lambda script: script.stem)
def test_scripts_call_no_command_that_redis_6_2_lacks(script: Path) -> None:
    text = script.read_text()
    called = {name.upper() for name in re.findall(r"redis\.p?call\(\s*['\"](\w+)", text)}

    assert called & _NEWER == set()
    # Functions of the Lua interface that Redis 7 added.
    assert not re.search(r"redis\.(acl_check_cmd|register_function|REDIS_VERSION)", text)


def test_there_are_scripts() -> None:
    assert _SCRIPTS
