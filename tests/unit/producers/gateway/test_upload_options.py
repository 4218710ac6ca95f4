import inspect

import pytest
from pydantic import ValidationError
from typer.exceptions import TyperException

from producers.file_options import file_wishes
from producers.gateway.upload_options import UploadOptions

# Under other names in an address; the last one is a file.
_OTHERS = {"mapping", "file_format", "profile"}


def test_an_upload_takes_the_options_of_the_command() -> None:
    taken = set(inspect.signature(file_wishes).parameters)
    own = set(UploadOptions.model_fields) - {"name", "on_existing"}
    assert taken - _OTHERS == own - {"map", "format"}


def test_options_are_read_as_those_of_the_command_are() -> None:
    options = UploadOptions(map=["beds=Betten", "phone="], format="csv", delimiter="tab", source="moh", strict=True)
    assert options.wishes() == file_wishes(
        mapping=["beds=Betten", "phone="], file_format="csv", delimiter="tab", source="moh", strict=True
    )


@pytest.mark.parametrize("given", ["beds", "=x", "beds=a"])
def test_an_invalid_mapping_is_refused(given: str) -> None:
    with pytest.raises(TyperException, match="--map takes FIELD="):
        UploadOptions(map=["beds=b", given]).wishes()


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(ValidationError, match="sauce"):
        UploadOptions.model_validate({"sauce": "moh"})
