"""Skips tests that run Lua in fakeredis where that cannot be done."""

from importlib.util import find_spec

import pytest

needs_lua = pytest.mark.skipif(
    find_spec("lupa") is None, reason="fakeredis runs scripts with lupa, which has no wheel for this Python"
)
"""For tests whose contracts are also tested on a real server."""
