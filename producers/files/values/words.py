"""Loads the tables of words of this package. They are data: `words.toml`, `yes_no.toml`, `months.toml`."""

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files


@cache
def table(name: str) -> Mapping[str, Sequence[str]]:
    """Return the lists of the table `name`, by their names."""
    return tomllib.loads(files(__package__).joinpath(f"{name}.toml").read_text("utf-8"))
