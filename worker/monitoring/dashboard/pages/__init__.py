"""The pages, each with its routes."""

from worker.monitoring.dashboard.pages import (
    actions,
    audit_entry,
    dead_letter_edit,
    dead_letters,
    hospitals,
    imports,
    jobs,
    login,
    overview,
    queues,
    schedules,
    workers,
)

PAGES = (
    login,
    overview,
    queues,
    jobs,
    dead_letters,
    dead_letter_edit,
    imports,
    schedules,
    workers,
    hospitals,
    audit_entry,
    actions,
)
