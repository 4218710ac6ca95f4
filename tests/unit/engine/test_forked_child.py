import os

import pytest

from worker.engine.forked_child import end_forked_child


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (None, 0),
        (SystemExit(), 0),
        (SystemExit(0), 0),
        (SystemExit(7), 7),
        (SystemExit(-1), 255),
        (SystemExit("text"), 1),
        (ValueError("x"), 1),
        (KeyboardInterrupt(), 1),
    ],
)
def test_a_forked_child_ends_with_the_code_of_a_program(
    monkeypatch: pytest.MonkeyPatch, error: BaseException | None, code: int
) -> None:
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)

    end_forked_child(os.getppid(), error)

    assert ended == [code]


def test_a_forked_child_ends_although_its_standard_output_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    monkeypatch.setattr("sys.stdout", None)

    end_forked_child(os.getppid())

    assert ended == [0]


@pytest.mark.parametrize("error", [None, SystemExit(7), ValueError("x")])
def test_the_worker_itself_goes_on(monkeypatch: pytest.MonkeyPatch, error: BaseException | None) -> None:
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)

    end_forked_child(os.getpid(), error)

    assert ended == []
