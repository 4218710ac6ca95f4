"""Benchmarks against other job queues and bare drivers, on private servers: `python -m benchmarks`."""
