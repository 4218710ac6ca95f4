from structlog.testing import capture_logs

from producers.gateway.outage_log import OutageLog
from worker.errors import OutageError


def test_one_error_in_five_seconds_is_logged() -> None:
    now = [0.0]
    log = OutageLog(lambda: now[0])
    error = OutageError("Redis at 127.0.0.1 does not answer", dependency="Redis")
    with capture_logs() as lines:
        for at in (0.0, 1.0, 4.9, 5.0, 6.0):
            now[0] = at
            log.note(error)

    assert [line["action"] for line in lines] == ["gateway_unavailable"] * 2
    assert lines[0]["reason"] == str(error)
