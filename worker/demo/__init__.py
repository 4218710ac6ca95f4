"""The demonstration: the whole system on this machine, with a crash half way, and a summary at the end."""
