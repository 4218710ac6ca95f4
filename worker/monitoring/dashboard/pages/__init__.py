"""The pages, each with its routes."""

from worker.monitoring.dashboard.pages import (
    dead_bulk,
    dead_letter_edit,
    dead_letters,
    dead_operations,
    hospitals,
    import_report,
    imports,
    jobs,
    login,
    overview,
    pauses,
    queues,
    workers,
)

PAGES = (
    *(login, overview, queues, pauses, jobs),
    *(dead_letters, dead_letter_edit, dead_bulk, dead_operations),
    *(imports, import_report, workers, hospitals),
)
