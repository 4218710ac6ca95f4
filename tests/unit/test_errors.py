import pytest

from worker import errors
from worker.errors import InvalidPayload, PayloadProblem, RemoteError


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (errors.InvalidPayload, errors.PermanentError),
        (errors.InvalidEnvelope, errors.PermanentError),
        (errors.UntrustedEnvelope, errors.InvalidEnvelope),
        (errors.PermanentError, errors.RegistryError),
        (errors.ConflictError, errors.RegistryError),
        (errors.TransientError, errors.RegistryError),
        (errors.OutageError, errors.RegistryError),
        (errors.ConfigurationError, errors.RegistryError),
        (errors.RemoteError, errors.RegistryError),
    ],
)
def test_each_error_stands_where_a_retry_looks_for_it(error: type[Exception], meaning: type[Exception]) -> None:
    assert error.__bases__ == (meaning,)


def test_an_invalid_payload_lists_its_problems_in_order() -> None:
    error = InvalidPayload("Thing", [PayloadProblem("a", "wrong"), PayloadProblem("b[0]", "missing")])
    assert error.problems == (PayloadProblem("a", "wrong"), PayloadProblem("b[0]", "missing"))
    assert str(error) == "Thing refused: a: wrong; b[0]: missing"


def test_a_remote_error_tells_kind_message_and_traceback() -> None:
    error = RemoteError("ValueError", "too small", "Traceback …")
    assert str(error) == "ValueError: too small"
    assert (error.kind, error.message, error.traceback) == ("ValueError", "too small", "Traceback …")
