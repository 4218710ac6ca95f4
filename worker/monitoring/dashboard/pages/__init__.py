"""The pages, each with its routes."""

from worker.monitoring.dashboard.pages import (
    dead_letter_edit,
    dead_letters,
    hospitals,
    imports,
    jobs,
    login,
    overview,
    queues,
    workers,
)

PAGES = (login, overview, queues, jobs, dead_letters, dead_letter_edit, imports, workers, hospitals)
