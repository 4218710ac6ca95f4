import pytest
import typer

from worker.commands.instants import instant_option


def test_what_is_no_instant_is_refused_with_examples() -> None:
    with pytest.raises(typer.BadParameter, match="such as 2025-06-30 or"):
        instant_option("").parser("yesterday")
