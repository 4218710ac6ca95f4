"""All that touches Redis: arq's protocol, kept with leases, grouped completions and dead letters."""
