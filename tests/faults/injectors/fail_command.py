"""MongoDB's fail points: commands that fail, block, or lose their reply on the server."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from pymongo.errors import NetworkTimeout

from worker.embedded import MongoMember

APP_NAME = "hospital-registry-worker"


@dataclass
class Injected:
    """How many `times` a fail point was hit; set when its block ends, if the member ran throughout."""

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
    """Make `commands` of clients named `app_name` (`None`: of all clients) fail on one member within the block.

    `mode` is `alwaysOn`, `{"times": n}` or `{"activationProbability": p}`. `data` selects the failure: `errorCode`,
    `errorLabels`, `closeConnection`, `blockConnection` with `blockTimeMS`, `writeConcernError`. The member must
    have been started with `test_commands=True`.
    """
    content: dict[str, object] = {"failCommands": list(commands), **data}
    if app_name is not None:
        content["appName"] = app_name
    injected = Injected()
    # The server counts from its start, so this block's hits are a difference.
    before = (await member.command("configureFailPoint", "failCommand", mode=mode, data=content))["count"]
    try:
        yield injected
    finally:
        if member.running:
            injected.times = await _switch_off(member) - before


async def _switch_off(member: MongoMember) -> int:
    while True:
        # The server replies only after every blocked command has waited for its full delay.
        with suppress(NetworkTimeout):
            answer = await member.command("configureFailPoint", "failCommand", mode="off")
            return int(answer["count"])
