import re

from worker.monitoring.dashboard.charts import line_chart
from worker.monitoring.dashboard.rendering import STATIC


def test_static_files_are_small_and_load_nothing_from_elsewhere() -> None:
    files = list(STATIC.iterdir())

    assert sum(file.stat().st_size for file in files) <= 100 * 1024
    for file in [*files, *(STATIC.parent / "templates").iterdir()]:
        found = set(re.findall(r"(?:https?:)?//[a-z][\w.]+", file.read_text()))
        assert found <= {"http://www.w3.org"}, file


def test_templates_have_no_inline_script_or_style() -> None:
    for template in (STATIC.parent / "templates").iterdir():
        assert not re.search(r"<script(?! src=)|<style|\sstyle=|\son[a-z]+=|\|safe", template.read_text()), template


def test_a_chart_goes_from_zero_to_the_greatest_value() -> None:
    chart = line_chart([0, 2, 1], 'waiting on "<q>"')

    assert 'points="0.0,59.0 150.0,1.0 300.0,30.0"' in chart
    assert 'aria-label="waiting on &#34;&lt;q&gt;&#34;: 1, at most 2"' in chart
    assert "nothing yet" in line_chart([], "x")
