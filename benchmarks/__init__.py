"""Side-by-side runs against peers and bare drivers, on private servers: `python -m benchmarks`."""
