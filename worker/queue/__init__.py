"""What lies in Redis: keys, scripts and records that the engine, producers and commands share."""
