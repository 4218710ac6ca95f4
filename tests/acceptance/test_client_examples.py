"""The examples of the pages for producers run as they are printed."""

import os
import re
from pathlib import Path

from tests.acceptance.conftest import Site

ROOT = Path(__file__).resolve().parents[2]


def example(page: str, heading: str) -> str:
    """Return the first Python example below a heading of a page."""
    section = (ROOT / page).read_text("utf-8").split(f"\n## {heading}\n")[1]
    found = re.search(r"^```python\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
    assert found
    return found[1]


async def test_the_examples_run(site: Site) -> None:
    for name, page, heading in (
        ("readme", "README.md", "Enqueue from Python"),
        ("synchronous", "docs/producers.md", "Without an event loop"),
    ):
        (site.folder / f"{name}.py").write_text(example(page, heading))
    path = os.pathsep.join((str(ROOT), str(site.folder)))
    await site.worker()

    readme = await site.run("readme", PYTHONPATH=path)
    assert (readme.code, readme.err) == (0, "")
    ingested, registered, amended = readme.out.splitlines()
    assert ingested.startswith("new ")
    assert "hospital_id='hr:42' revision=1 status='created'" in ingested
    assert registered.startswith("registered ")
    assert amended == "amended"
    synchronous = await site.run("synchronous", PYTHONPATH=path)
    assert (synchronous.code, synchronous.out, synchronous.err) == (0, "registered\n", "")
