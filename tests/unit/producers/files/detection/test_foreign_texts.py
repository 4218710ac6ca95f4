"""Texts that are no lists, and lists that begin like them."""

from pathlib import Path

import pytest

from producers.files import FileError, HospitalFile


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("#!/bin/sh\ncurl -O https://example.org/a.csv; echo done\n", "is a script"),
        ("#!/usr/bin/env python3\nimport csv, sys\nprint(1, 2)\n", "is a script"),
        ("<head><title>Hospitals, list</title></head>\n", "is an HTML page"),
        ("<!-- saved -->\n<div><p>Hospitals, list</p></div>\n", "is an HTML page"),
        ('<meta charset="utf-8">\n<body>a, b</body>\n', "is an HTML page"),
        ("\n  <script>var a = [1, 2]</script>\n", "is an HTML page"),
    ],
)
def test_what_is_no_list_is_refused_by_its_kind(tmp_path: Path, text: str, kind: str) -> None:
    path = tmp_path / "list.csv"
    path.write_text(text)
    with pytest.raises(FileError, match=kind):
        HospitalFile.open(path)


@pytest.mark.parametrize("first", ["#", "#!", "<none>"])
def test_a_list_whose_first_column_begins_like_them_is_read(tmp_path: Path, first: str) -> None:
    path = tmp_path / "list.csv"
    path.write_text(f"{first},name,city\n1,Oak,Aveda\n2,Elm,Brusk\n")
    assert [row.record.hospital_name for row in HospitalFile.open(path).rows() if row.record] == ["Oak", "Elm"]
