"""`python -m worker` is `hospital-worker`."""

from worker.cli import main

main()
