"""Faults to inject into real servers and processes; each is usable on its own. See tests/faults/README.md."""
