"""The pages, each with its routes."""

from worker.monitoring.dashboard.pages import (
    dead_letter_edit,
    dead_letters,
    hospitals,
    imports,
    jobs,
    login,
    overview,
    pauses,
    queues,
    workers,
)

PAGES = (login, overview, queues, pauses, jobs, dead_letters, dead_letter_edit, imports, workers, hospitals)
