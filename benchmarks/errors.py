"""The errors of a benchmark run."""


class BenchmarkError(Exception):
    """A process of a run failed or made no progress. The message names the process and shows the end of its log."""
