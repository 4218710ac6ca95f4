"""Injectors of faults into real servers and processes; each works alone. See tests/faults/README.md."""
