"""What can go wrong in a run of the benchmarks."""


class BenchmarkError(Exception):
    """A process of a run failed, or nothing moved for too long; the message says which and shows its log's end."""
