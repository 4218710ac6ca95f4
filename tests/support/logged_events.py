"""Engine events that are logged as in a worker, for tests of a single part of the engine."""

from worker.engine.event_log import log_events
from worker.engine.events import Events


def logged_events() -> Events:
    """Return events to which the log is subscribed."""
    events = Events()
    log_events(events)
    return events
