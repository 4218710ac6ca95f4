"""`hospital-worker jobs …`: what is known of one job, why it is in its state, and how it is retried or aborted."""

import json
from dataclasses import replace
from typing import Annotated, Any

import typer

from worker.acting_options import acting_options
from worker.codec import Codec
from worker.commands.job_history import list_ended
from worker.commands.registry_connection import registry_connection
from worker.commands.support import print_facts, queue_connection, run, shown_text
from worker.contract.acting import Acting
from worker.escaping import escape, escape_json
from worker.failing import EXIT_FAILED, fail
from worker.help_group import HelpGroup
from worker.monitoring.aborting import NOT_ENDED, ask_for_abort
from worker.monitoring.explain import explain as explain_job
from worker.monitoring.history import ends_of
from worker.monitoring.job_facts import JobFacts, read_job_facts
from worker.monitoring.retrying import is_retriable, retry_job
from worker.monitoring.shown_facts import Instant, in_words, shown_facts
from worker.queue.actions import keep_action
from worker.shared_options import takes

app = typer.Typer(
    cls=HelpGroup,
    no_args_is_help=True,
    help="Explain, show, retry and abort jobs; list those that have ended.",
)
app.command("list")(list_ended)

JobArgument = Annotated[str, typer.Argument(metavar="JOB", help="The id of the job.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command()
def explain(job_id: JobArgument, as_json: AsJson = False) -> None:
    """Say in words why a job is in its state, and what would change it.

    How a job ended is read from the history if Redis does not know it any more.

    Exit code 0: explained; 1: no such job is known; 2: it could not be found out, such as without Redis.
    """
    explanation = explain_job(_read(job_id, with_history=True))
    shown = {"job_id": job_id, **explanation._asdict()}
    if as_json:
        typer.echo(_json(shown))
    else:
        print_facts({"job": escape(job_id), **{name: escape(text) for name, text in explanation._asdict().items()}})
    if explanation.state == "unknown":
        raise SystemExit(EXIT_FAILED)


@app.command()
def show(job_id: JobArgument, as_json: AsJson = False) -> None:
    """Show what Redis knows of a job, without its payload; if it knows nothing, what the history says.

    Exit codes as for `explain`.
    """
    facts = _read(job_id, with_history=True)
    state = explain_job(facts).state
    shown = shown_facts(facts, state)
    if as_json:
        typer.echo(_json(shown))
    else:
        print_facts({name.replace("_", " "): in_words(fact, facts.now_ms) for name, fact in shown.items()})
    if state == "unknown":
        raise SystemExit(EXIT_FAILED)


@app.command()
@takes(acting_options, argument="acting")
def abort(job_id: JobArgument, acting: Acting) -> None:
    """Ask the workers not to run a job, or to cancel it if it runs.

    A running job is cancelled within a second. A deferred one is made due, so that it ends now. The job may end
    otherwise before a worker notices the request; `explain` says what became of it.

    Exit code 0: the abort was asked for; 1: there is nothing to abort, because the job has ended or is not known;
    2: the abort could not be asked for.
    """
    facts = _read(job_id)
    state, reason, _ = explain_job(facts)
    if state not in NOT_ENDED:
        fail(f"nothing to abort: {job_id} {reason}", EXIT_FAILED)

    async def ask() -> None:
        async with queue_connection() as (redis, _):
            await keep_action(redis, acting.on("abort", "job", [shown_text(job_id)], result="asked for"))
            await ask_for_abort(redis, facts, state)

    run(ask)
    typer.echo(escape(f"abort asked for: {job_id} ({state})"))


@app.command()
@takes(acting_options, argument="acting")
def retry(job_id: JobArgument, acting: Acting, as_json: AsJson = False) -> None:
    """Retry a job now: a dead letter, or a job that waits for its next try.

    A dead letter returns to its queue with a full retry budget, as with `dead retry`. A job that waits for its next
    try is due at once, and keeps the number of its tries; while its queue or function is paused, it waits on.

    Exit code 0: retried; 1: there is nothing to retry, because the job runs, waits for a worker or for the time it
    was scheduled for, has ended, or is not known; 2: it could not be retried, such as without Redis.
    """
    facts = _read(job_id)
    state, reason, _ = explain_job(facts)

    async def put_back() -> bool:
        async with queue_connection() as (redis, _):
            return await retry_job(redis, facts, acting)

    retried = is_retriable(facts, state) and run(put_back)
    if as_json:
        typer.echo(_json({"job_id": shown_text(job_id), "retried": retried, "state": state, "reason": reason}))
    if retried and not as_json:
        typer.echo(escape(f"retried: {job_id} (was {state})"))
    if not retried:
        changed = "; or it has changed meanwhile" if is_retriable(facts, state) else ""
        fail(f"nothing to retry: {job_id} {reason}{changed}", EXIT_FAILED)


def _read(job_id: str, *, with_history: bool = False) -> JobFacts:
    async def read() -> JobFacts:
        async with queue_connection() as (redis, settings):
            facts = await read_job_facts(
                redis, Codec(settings.signing_secrets()), job_id, tuple(settings.worker_queues)
            )
            if not (with_history and facts.is_past and settings.worker_history_days):
                return facts
            async with registry_connection() as mongo:
                return replace(facts, ends=await ends_of(redis, mongo, job_id), has_history=True)

    return run(read)


def _json(shown: dict[str, Any]) -> str:
    return escape_json(json.dumps(shown, indent=2, default=Instant.json))
