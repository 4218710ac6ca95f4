"""`python -m worker` is `hospital-worker`."""

from worker.missing_package import run_program


def main() -> None:
    """Run the command line: the console entry point."""
    run_program("hospital-worker", "worker", _run)


def _run() -> None:
    from worker.cli import main as run  # noqa: PLC0415 (packages of an extra)

    run()


if __name__ == "__main__":
    main()
