"""A profile for files of rejected rows that no import has written."""

from pathlib import Path

_PROFILE = 'version = 1\nall_columns = []\n[file]\nformat = "csv"\n[columns]\nhospital_name = ["name"]\n'


def write_profile_beside(path: Path) -> None:
    """Write the profile that rejected rows are read by: their column `name` has the names."""
    path.with_name("profile.toml").write_text(_PROFILE)
