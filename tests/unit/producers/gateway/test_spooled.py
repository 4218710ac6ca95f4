import pytest

from producers.gateway.problems import Problem
from producers.gateway.spooled import file_name


@pytest.mark.parametrize(
    ("disposition", "given", "name"),
    [
        (None, "list.csv", "list.csv"),
        ("attachment; filename=list.csv", None, "list.csv"),
        ('attachment; filename="our list.csv.gz"', None, "our list.csv.gz"),
        ("attachment; filename*=UTF-8''%C3%B3r.csv", None, "ór.csv"),
        ("attachment; filename=other.csv", "list.csv", "list.csv"),
    ],
)
def test_the_name_of_a_file_is_in_the_query_or_the_header(
    disposition: str | None, given: str | None, name: str
) -> None:
    assert file_name(disposition, given) == name


@pytest.mark.parametrize(
    ("disposition", "given"),
    [
        (None, None),
        ("attachment", None),
        ("", ""),
        (None, "../list.csv"),
        (None, "/etc/list.csv"),
        (None, "c:\\list.csv"),
        (None, ".list"),
        (None, ".."),
        (None, "a\nb.csv"),
        (None, "a\x00.csv"),
        (None, "\ud800.csv"),
        (None, "é" * 101),
        ("attachment; filename*=UTF-8''..%2F..%2Flist.csv", None),
    ],
)
def test_no_other_name_is_accepted(disposition: str | None, given: str | None) -> None:
    with pytest.raises(Problem) as refused:
        file_name(disposition, given)

    assert (refused.value.status_code, refused.value.errors[0].path) == (422, "name")
