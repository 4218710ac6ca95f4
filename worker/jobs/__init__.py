"""One thin coroutine per job: validate the payload, call `worker.mongo`, return the outcome.

This package knows neither Redis nor arq.
"""

from worker.jobs.amend_hospital import amend_hospital
from worker.jobs.close_import import close_import
from worker.jobs.correct_hospital import correct_hospital
from worker.jobs.discard_hospital import discard_hospital
from worker.jobs.find_imports import find_imports
from worker.jobs.ingest_hospital import ingest_hospital
from worker.jobs.ingest_hospitals import ingest_hospitals
from worker.jobs.open_import import open_import
from worker.jobs.preview_hospitals import preview_hospitals
from worker.jobs.read_import_report import read_import_report
from worker.jobs.register_hospital import register_hospital
from worker.jobs.standstill import Job, outage_while_writes_stand_still
from worker.jobs.withdraw_hospital import withdraw_hospital

JOB_FUNCTIONS: tuple[Job, ...] = tuple(
    outage_while_writes_stand_still(job)
    for job in (
        ingest_hospital,
        ingest_hospitals,
        correct_hospital,
        discard_hospital,
        register_hospital,
        amend_hospital,
        withdraw_hospital,
        open_import,
        close_import,
        find_imports,
        read_import_report,
        preview_hospitals,
    )
)
"""The jobs that a worker runs; each function has the name of its job in `worker.contract.JOBS`."""

__all__ = ["JOB_FUNCTIONS", "Job"]
