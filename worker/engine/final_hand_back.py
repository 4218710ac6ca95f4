"""What a worker does for its jobs from outside its event loop, when that no longer runs or has no time left."""

from collections.abc import Callable, Mapping, Sequence

from redis import Redis

from worker.engine.events import Events, JobsLeftBehind
from worker.engine.running_job import RunningJob
from worker.queue.completion import FINISH_KEYS, Completion, finish_args
from worker.queue.heartbeats import queue_removal
from worker.queue.script_source import script_source
from worker.redis.errors import REDIS_ERRORS

_PER_CALL = 100


class FinalHandBack:
    """Hands back the jobs of one worker over a connection of its own, in the thread that calls.

    `jobs` are the running jobs by their ids; the event loop may change them meanwhile. `connect` opens the
    connection.
    """

    def __init__(
        self,
        connect: "Callable[[], Redis[bytes]]",
        jobs: Mapping[bytes, RunningJob],
        worker_id: str,
        events: Events,
    ) -> None:
        self._connect = connect
        self._jobs = jobs
        self._worker_id = worker_id
        self._events = events

    def hand_back_running(self, *, except_for: RunningJob | None = None) -> None:
        """Put the running jobs back where they were, without a crash and without a try spent.

        Those that have ended are left out: their results may be on their way.
        """
        self.hand_back_jobs(
            [job for job in list(self._jobs.values()) if job is not except_for and not job.has_ended]
        )

    def hand_back_jobs(self, jobs: Sequence[RunningJob]) -> None:
        """Put these jobs back where they were, also those that have ended, if nothing else stores them any more.

        A job that has ended and was not stored runs again. Its lost lease would lead to that too, but with a crash.
        """
        completions = [Completion.hand_back(job.claimed, job.token) for job in jobs]
        if not completions:
            return
        done = 0
        try:
            redis = self._connect()
            finish = redis.register_script(script_source("finish"))
            for done in range(0, len(completions), _PER_CALL):
                finish(keys=FINISH_KEYS, args=finish_args(completions[done : done + _PER_CALL]))
            redis.close()
        except REDIS_ERRORS:
            self._events.send(JobsLeftBehind(len(completions) - done))

    def sign_off(self) -> None:
        """Hand back what runs, and remove the worker's heartbeat."""
        self.hand_back_running()
        try:
            redis = self._connect()
            with redis.pipeline(transaction=False) as pipe:
                queue_removal(pipe, self._worker_id)
                pipe.execute()
            redis.close()
        except REDIS_ERRORS:
            # Others forget the worker when its heartbeat is an hour old.
            return
