"""What programs without an event loop do with `SyncHospitalProducer`: each function is one, run by test_sync.py."""

import functools
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from producers import SyncHospitalProducer
from worker.contract import HospitalRecord


def _ingest(producer: SyncHospitalProducer, name: str) -> str:
    return producer.ingest_hospital(HospitalRecord(hospital_name=name)).job_id


def forgets_to_close() -> None:
    """Ends without closing it."""
    producer = SyncHospitalProducer.connect()
    _ingest(producer, "forgotten")


def waits_in_a_thread_at_exit() -> None:
    """Ends while a daemon thread waits for an outcome."""
    producer = SyncHospitalProducer.connect()
    receipt = producer.ingest_hospital(HospitalRecord(hospital_name="waited for"))
    threading.Thread(target=lambda: receipt.outcome(timeout=60), daemon=True).start()


def forks_before_the_first_call() -> None:
    """As gunicorn and Celery do with a module that made one when it was imported."""
    producer = SyncHospitalProducer.connect()
    _in_children(producer, 3)


def forks_after_a_call() -> None:
    """Uses it before the fork, in each child, and afterwards."""
    with SyncHospitalProducer.connect() as producer:
        _ingest(producer, "before")
        _in_children(producer, 2)
        _ingest(producer, "after")


def _in_children(producer: SyncHospitalProducer, count: int) -> None:
    children = []
    for number in range(count):
        child = os.fork()
        if child == 0:
            with ThreadPoolExecutor(4) as threads:
                list(threads.map(functools.partial(_ingest, producer), [f"{number}.{job}" for job in range(8)]))
            # As a server's worker ends: the interpreter takes itself apart.
            sys.exit(0)
        children.append(child)
    for child in children:
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0


def children_leave_the_connection_of_the_parent_alone() -> None:
    """Goes on at once after children have ended that never used what they inherited."""
    producer = SyncHospitalProducer.connect()
    _ingest(producer, "before")
    for _ in range(3):
        child = os.fork()
        if child == 0:
            sys.exit(0)
        os.waitpid(child, 0)
        began = time.monotonic()
        _ingest(producer, "after")
        # REDIS_TIMEOUT is 5 s.
        assert time.monotonic() - began < 4, "waited for an answer that another process has taken"


if __name__ == "__main__":
    globals()[sys.argv[1]]()
