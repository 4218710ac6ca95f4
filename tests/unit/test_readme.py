import re
from pathlib import Path

from worker.contract import JOBS

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def test_the_table_of_sessions_lists_every_job() -> None:
    table = README.split("## Which operation needs a session")[1].split("##")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == set(JOBS)
