import os

import pytest

from worker.embedded.ports import choose_port


def test_a_port_is_not_chosen_again_for_a_long_time() -> None:
    """So a killed server can be restarted on its port."""
    ports = [choose_port() for _ in range(100)]
    assert len(set(ports)) == 100
    # Below the ephemeral ports of outgoing connections.
    assert all(20_000 <= port < 32_000 for port in ports)


def test_concurrent_processes_choose_different_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = {choose_port() for _ in range(50)}
    other = os.getpid() + 1
    monkeypatch.setattr(os, "getpid", lambda: other)
    assert ours.isdisjoint({choose_port() for _ in range(50)})
