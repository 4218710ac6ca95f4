"""`python -m producers` is `hospital-producer`."""

import os
import sys

from worker.missing_package import run_program


def main() -> None:
    """Run the command line: the console entry point. Ctrl-C while it is imported ends it with one line, too."""
    run_program("hospital-producer", "files", _run)


def _run() -> None:
    try:
        # Takes longer than all else that some commands do.
        from producers.cli import main as run  # noqa: PLC0415
    except KeyboardInterrupt:
        sys.stderr.write("hospital-producer: interrupted\n")
        sys.stderr.flush()
        # Modules that are half imported may not end well.
        os._exit(130)
    run()


if __name__ == "__main__":
    main()
