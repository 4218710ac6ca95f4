"""The command line: `python -m benchmarks [--quick] [--only NAME …]`."""

import argparse
import tempfile
import time
from pathlib import Path

import uvloop
from rich.console import Console

from benchmarks.bench import FULL, QUICK, Bench, Size
from benchmarks.harness import Result
from benchmarks.report import show, store
from benchmarks.scenarios import SCENARIOS
from worker.embedded import EmbeddedServers
from worker.mongo.client import open_mongo
from worker.mongo.schema import ensure_schema
from worker.settings import load_settings

_RESULTS = Path(__file__).parent / "results" / "latest.json"


async def _run(names: list[str], size: Size, console: Console) -> None:
    results: list[Result] = []
    ratios: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as folder:
        async with EmbeddedServers() as servers:
            mongo = open_mongo(load_settings(mongodb_url=servers.mongo.url))
            try:
                await ensure_schema(mongo)
                bench = Bench(servers, mongo, Path(folder), size)
                for name in names:
                    started = time.perf_counter()
                    outcome = await SCENARIOS[name](bench)
                    measured = "  ".join(f"{ratio} {value:.2f}" for ratio, value in outcome.ratios.items())
                    console.print(f"{name} ({time.perf_counter() - started:.0f} s): {measured}", style="dim")
                    results += outcome.results
                    ratios |= outcome.ratios
            finally:
                await mongo.close()
    show(console, results, ratios)
    if len(names) == len(SCENARIOS):
        store(_RESULTS, results, ratios)
        console.print(f"Written to {_RESULTS}")


def _main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer jobs and rounds: under 90 seconds")
    parser.add_argument("--only", nargs="+", choices=list(SCENARIOS), default=list(SCENARIOS), metavar="NAME")
    options = parser.parse_args()
    uvloop.run(_run(options.only, QUICK if options.quick else FULL, Console()))


if __name__ == "__main__":
    _main()
