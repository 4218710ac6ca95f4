import re
from pathlib import Path

from worker.contract import JOBS

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def test_the_table_of_sessions_lists_every_job() -> None:
    table = README.split("## Which operation needs a session")[1].split("##")[0]
    first_cells = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    listed = [job for cell in first_cells for job in re.findall(r"`(\w+)`", cell)]
    assert sorted(listed) == sorted(JOBS)
