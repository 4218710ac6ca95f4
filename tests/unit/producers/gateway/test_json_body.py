import json
from typing import Any

import pytest
from fastapi import Request

from producers.gateway.json_body import decoded, read_json
from producers.gateway.problems import Problem

BODY = {"record": {"hospital_name": "Klinik für Ältere", "beds": 12, "location": [1.5, None, True]}}


def request(content_type: str | None) -> Request:
    headers = [] if content_type is None else [(b"content-type", content_type.encode("latin-1"))]

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": json.dumps(BODY).encode()}

    return Request({"type": "http", "method": "POST", "path": "/", "headers": headers}, receive)


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON",
        "application/vnd.registry+json",
    ],
)
async def test_json_is_read(content_type: str) -> None:
    assert await read_json(request(content_type)) == BODY


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "text/plain",
        "text/json",
        "text/x+json",
        "application/x-www-form-urlencoded",
        "application/json-seq",
        "json",
        "application/json, text/plain",
        "\x80;;=",
    ],
)
async def test_a_body_of_another_type_is_not_guessed_at(content_type: str | None) -> None:
    with pytest.raises(Problem) as refused:
        await read_json(request(content_type))
    assert (refused.value.status_code, refused.value.code) == (415, "unsupported-media-type")


def test_a_byte_order_mark_is_skipped() -> None:
    assert decoded(b"\xef\xbb\xbf" + json.dumps(BODY, ensure_ascii=False).encode()) == BODY


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"record": }',
        b"{} {}",
        b"\xff",
        b'{"name": "\xfcber"}',
        json.dumps(BODY).encode("utf-16"),
        b'{"beds": NaN}',
        b'{"beds": -Infinity}',
        b'{"beds": ' + b"9" * 5_000 + b"}",
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 100_000,
    ],
)
def test_what_is_not_json_is_refused_and_not_repeated(body: bytes) -> None:
    with pytest.raises(Problem) as refused:
        decoded(body)
    assert (refused.value.status_code, refused.value.code) == (400, "invalid-json")
    assert "ber" not in refused.value.detail


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"beds": 1, "beds": 2}', "beds"),
        (b'{"record": {"beds": 1, "city": "Split", "beds": 1}}', "beds"),
        (b'[[{"a": {"b": null, "b": null}}]]', "b"),
        (b'{"beds": 1, "b\\u0065ds": 1}', "beds"),
        (b'{"a\\r\\nSet-Cookie": 1, "a\\r\\nSet-Cookie": 1}', '"a\\r\\nSet-Cookie"'),
    ],
)
def test_a_name_that_is_given_twice_is_named(body: bytes, field: str) -> None:
    with pytest.raises(Problem) as refused:
        decoded(body)
    assert refused.value.status_code == 422
    assert [(it.path, it.reason) for it in refused.value.errors] == [(field, "given twice")]


def test_one_name_in_several_objects_is_fine() -> None:
    assert decoded(b'{"a": {"a": 1}, "b": [{"a": 2}, {"a": 3}]}') == {"a": {"a": 1}, "b": [{"a": 2}, {"a": 3}]}
