import os

import pytest

from worker.embedded.ports import choose_port


def test_no_port_is_given_twice_for_a_long_time() -> None:
    """One that a killed server had is its own until it is started again."""
    ports = [choose_port() for _ in range(100)]
    assert len(set(ports)) == 100
    # Below those that a connection may be lent.
    assert all(20_000 <= port < 32_000 for port in ports)


def test_processes_beside_each_other_share_no_port(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = {choose_port() for _ in range(50)}
    other = os.getpid() + 1
    monkeypatch.setattr(os, "getpid", lambda: other)
    assert ours.isdisjoint({choose_port() for _ in range(50)})
