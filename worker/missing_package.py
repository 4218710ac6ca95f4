"""Says in one line which extra to install if a program lacks a package."""

import sys
from collections.abc import Callable

_OWN = ("worker", "producers")
# Packages that only one extra installs. All others belong to the extra that the program needs as a whole.
_EXTRAS = {
    "backports": "files",
    "fastapi": "dashboard",
    "ijson": "files",
    "jinja2": "dashboard",
    "markupsafe": "dashboard",
    "pyarrow": "parquet",
    "python_calamine": "files",
    "starlette": "dashboard",
    "uvicorn": "dashboard",
}


def run_program(program: str, extra: str, run: Callable[[], None]) -> None:
    """Call `run`, which imports what the program needs; exit with code 2 and one line if a package is missing.

    `extra` brings what all of its commands need. A missing module of our own is a defect, and raised.
    """
    try:
        run()
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", *_OWN):
            raise
        install = f"pip install 'hospital-registry-worker[{_EXTRAS.get(package, extra)}]'"
        sys.stderr.write(f"{program}: needs the package {package}, which is not installed: {install}\n")
        raise SystemExit(2) from None
