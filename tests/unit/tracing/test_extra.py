import pytest

from worker.errors import ConfigurationError
from worker.tracing.extra import needs_extra


@pytest.mark.parametrize("missing", ["opentelemetry", "opentelemetry.sdk", "google", "requests"])
def test_a_missing_package_of_the_extra_says_how_to_install_it(missing: str) -> None:
    with pytest.raises(ConfigurationError) as caught, needs_extra():
        raise ModuleNotFoundError(name=missing)
    assert str(caught.value) == (
        f"QUEUE_TRACING needs {missing}: pip install 'hospital-registry-worker[otel]', or set it to off"
    )


def test_any_other_missing_module_is_a_bug() -> None:
    with pytest.raises(ModuleNotFoundError), needs_extra():
        raise ModuleNotFoundError(name="worker.misspelled")
