"""The demonstration: the whole system on this machine, with a worker killed half way and a summary at the end."""
