"""The pages, each with its routes."""

from worker.monitoring.dashboard.pages import (
    actions,
    audit_entry,
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
    schedules,
    workers,
)

PAGES = (
    *(login, overview, queues, pauses, jobs),
    *(dead_letters, dead_letter_edit, dead_bulk, dead_operations),
    *(imports, import_report, schedules, workers),
    *(hospitals, audit_entry, actions),
)
