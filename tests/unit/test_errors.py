import pytest

from worker import errors
from worker.errors import InvalidPayload, PayloadProblem, RemoteError


@pytest.mark.parametrize(
    ("error", "base"),
    [
        (errors.InvalidPayload, errors.PermanentError),
        (errors.InvalidEnvelope, errors.PermanentError),
        (errors.UntrustedEnvelope, errors.InvalidEnvelope),
        (errors.PermanentError, errors.RegistryError),
        (errors.ConflictError, errors.RegistryError),
        (errors.TransientError, errors.RegistryError),
        (errors.OutageError, errors.RegistryError),
        (errors.OperationRefused, errors.RegistryError),
        (errors.ConfigurationError, errors.RegistryError),
        (errors.RemoteError, errors.RegistryError),
    ],
)
def test_each_error_has_the_base_class_that_decides_on_retries(
    error: type[Exception], base: type[Exception]
) -> None:
    assert error.__bases__ == (base,)


def test_an_invalid_payload_lists_its_problems_in_order() -> None:
    error = InvalidPayload("Thing", [PayloadProblem("a", "wrong"), PayloadProblem("b[0]", "missing")])
    assert error.problems == (PayloadProblem("a", "wrong"), PayloadProblem("b[0]", "missing"))
    assert str(error) == "Thing refused: a: wrong; b[0]: missing"


def test_a_remote_error_has_kind_message_and_traceback() -> None:
    error = RemoteError("ValueError", "too small", "Traceback …")
    assert str(error) == "ValueError: too small"
    assert (error.kind, error.message, error.traceback) == ("ValueError", "too small", "Traceback …")
