"""`hospital-producer status`: the state and the outcome of one job."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from producers import ctrl_c
from producers.commands import support
from producers.commands.support import DONE, NOTHING, PARTLY, JsonOption, show
from producers.console import print_error

if TYPE_CHECKING:
    from producers.receipts import JobStatus


def status(job_id: Annotated[str, typer.Argument(metavar="JOB")], as_json: JsonOption = False) -> int:
    """Show the state and the outcome of a job."""

    async def ask() -> "JobStatus":
        async with support.connect() as producer:
            return await producer.status(job_id)

    found = ctrl_c.run(ask())
    facts = {key: value for key, value in asdict(found).items() if value is not None}
    show("Job", facts, as_json=as_json)
    if found.state == "unknown":
        print_error("no such job, or it ended more than WORKER_KEEP_RESULT seconds ago")
    return {"unknown": NOTHING, "failed": PARTLY, "dead": PARTLY}.get(found.state, DONE)
