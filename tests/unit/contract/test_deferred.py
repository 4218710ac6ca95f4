"""Models of the contract are built at their first use, by one thread, whatever version pydantic has."""

import importlib
import pkgutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

from pydantic import BaseModel

import worker.contract
from worker.contract.deferred import Deferred
from worker.queue import dead_letter

THREADS = 8


class Held:
    """Makes the schema of a field, and takes as long as the test lets it."""

    def __init__(self) -> None:
        self.made = 0
        self.may_end = threading.Event()

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        self.made += 1
        assert self.may_end.wait(20)
        return handler(source)


def test_one_thread_builds_a_model_and_the_others_wait_for_it() -> None:
    held, arrived = Held(), threading.Semaphore(0)

    class Slow(Deferred):
        number: Annotated[int, held]

        @classmethod
        def model_rebuild(cls, **options: Any) -> bool | None:
            arrived.release()
            return super().model_rebuild(**options)

    with ThreadPoolExecutor(THREADS) as pool:
        made = [pool.submit(Slow, number=number) for number in range(THREADS)]
        try:
            for _ in range(THREADS):
                assert arrived.acquire(timeout=20)
        finally:
            held.may_end.set()
        assert [it.result(20).number for it in made] == list(range(THREADS))
    assert held.made == 1


def models() -> Iterator[type[BaseModel]]:
    names = [f"worker.contract.{it.name}" for it in pkgutil.iter_modules(worker.contract.__path__)]
    for module in (*map(importlib.import_module, names), dead_letter):
        for found in vars(module).values():
            if isinstance(found, type) and issubclass(found, BaseModel) and found.__module__ == module.__name__:
                yield found


def test_every_model_of_the_contract_is_built_so() -> None:
    found = set(models())
    assert len(found) > 30
    assert [it.__name__ for it in found if not issubclass(it, Deferred)] == []
    assert all(it.model_config.get("defer_build") for it in found)
