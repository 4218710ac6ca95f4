"""The runtime: claims jobs, runs them under leases, stores how they ended. Only `worker.main` imports it."""
