"""The names of attributes: those of the semantic conventions, and this project's own."""

OPERATION_NAME = "messaging.operation.name"
OPERATION_TYPE = "messaging.operation.type"
DESTINATION = "messaging.destination.name"
MESSAGE_ID = "messaging.message.id"
MESSAGE_COUNT = "messaging.batch.message_count"
ERROR_TYPE = "error.type"
FUNCTION = "hospital.job.function"
TRY = "hospital.job.try"
OUTCOME = "hospital.job.outcome"
RETRY_DELAY_S = "hospital.job.retry_delay_seconds"

TRACER = "hospital-registry-worker"
"""The instrumentation scope of all spans."""


def of_queue(operation: str, queue: str, function: str) -> dict[str, str | int]:
    """Return what the spans of both sides of a queue have in common."""
    return {
        "messaging.system": "arq",
        OPERATION_NAME: operation,
        OPERATION_TYPE: operation,
        DESTINATION: queue,
        FUNCTION: function,
    }
