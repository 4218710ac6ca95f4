"""The product's worker with an additional job that raises errors that are hard to store or to print."""

from typing import Any, cast

from arq.worker import func

from tests.faults.injectors.errors import ERRORS
from worker import main


async def raising(_ctx: dict[str, Any], kind: str) -> None:
    """Raise the error of that name."""
    raise ERRORS[kind]()


WorkerSettings = main.WorkerSettings
WorkerSettings.functions = [*WorkerSettings.functions, func(cast(Any, raising), name="raising")]
