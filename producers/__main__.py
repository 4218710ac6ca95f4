"""`python -m producers` is `hospital-producer`."""

from producers.cli import main

if __name__ == "__main__":
    main()
