"""MongoDB's own fail points: commands that fail, wait, or lose their answer at the server."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from pymongo.errors import NetworkTimeout

from worker.embedded import MongoMember

APP_NAME = "hospital-registry-worker"


@dataclass
class Injected:
    """How many `times` a fail point was met; told once its block has ended, on a member that ran all the while."""

    times: int = 0


@asynccontextmanager
async def fail_command(
    member: MongoMember,
    commands: Sequence[str],
    *,
    mode: Mapping[str, int] | str = "alwaysOn",
    app_name: str | None = APP_NAME,
    **data: object,
) -> AsyncIterator[Injected]:
    """Make `commands` of the clients called `app_name` (all: `None`) fail at one member within the block.

    `mode` is `alwaysOn`, `{"times": n}` or `{"activationProbability": p}`; `data` is what happens: `errorCode`,
    `errorLabels`, `closeConnection`, `blockConnection` with `blockTimeMS`, `writeConcernError`. The member must
    have been started with `test_commands=True`.
    """
    content: dict[str, object] = {"failCommands": list(commands), **data}
    if app_name is not None:
        content["appName"] = app_name
    injected = Injected()
    # The server counts from its start on.
    before = (await member.command("configureFailPoint", "failCommand", mode=mode, data=content))["count"]
    try:
        yield injected
    finally:
        if member.running:
            injected.times = await _switch_off(member) - before


async def _switch_off(member: MongoMember) -> int:
    while True:
        # The server answers once every command that it blocks has waited its time.
        with suppress(NetworkTimeout):
            answer = await member.command("configureFailPoint", "failCommand", mode="off")
            return int(answer["count"])
