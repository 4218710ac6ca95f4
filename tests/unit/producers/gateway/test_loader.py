from typing import cast

import pytest

from producers.gateway import loader
from producers.imports import FileImport, ImportStalled
from worker.backoff import Backoff
from worker.errors import OutageError


class Interrupted:
    """An import whose first runs fail."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.runs = 0

    async def run(self) -> None:
        self.runs += 1
        if self.errors:
            raise self.errors.pop(0)


async def test_an_import_that_has_begun_goes_on_after_outages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader, "_BACKOFF", Backoff(first_s=0.001, longest_s=0.001))
    loading = Interrupted(
        ImportStalled("no worker"), OutageError("no Redis", dependency="Redis"), ImportStalled("")
    )

    await loader._go_on(cast(FileImport, loading))

    assert loading.runs == 4
