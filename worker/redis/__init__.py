"""The transport to Redis: connections, start-up checks, errors. It knows no queue and no job."""
