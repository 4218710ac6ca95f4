import inspect
import math
import pickle  # noqa: TID251 (a user may ask for it; nothing is unpickled here)
from typing import Any

import arq.worker
import pytest
from arq.worker import Worker, get_kwargs

from worker.codec import Codec
from worker.engine.settings_class import both_serializers, checked_queues, checked_rate_limits, with_settings_of
from worker.engine.worker import LeaseWorker
from worker.errors import ConfigurationError


async def job(ctx: dict[str, Any]) -> None: ...


def encode(message: dict[str, Any]) -> bytes:
    return b""


def decode(data: bytes) -> dict[str, Any]:
    return {}


def test_settings_are_added_to_those_of_arq() -> None:
    arqs = inspect.signature(Worker).parameters
    found = with_settings_of(Worker, "queues", "lease").parameters

    assert list(found) == [*arqs, "queues", "lease"]
    assert {name: found[name] for name in arqs} == dict(arqs)
    for name in ("queues", "lease"):
        assert (found[name].kind, found[name].default) == (inspect.Parameter.KEYWORD_ONLY, None)


def test_arq_passes_the_added_settings_of_a_class_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arq.worker, "Worker", LeaseWorker)

    class Settings:
        functions = (job,)
        queues = {"first": 3}  # noqa: RUF012 (arq's form of settings)
        lease = 7
        open_redis = None
        burst = True
        misspelt = 1

    expected = {"functions": (job,), "queues": {"first": 3}, "lease": 7, "open_redis": None, "burst": True}
    assert get_kwargs(Settings) == expected  # type: ignore[arg-type]


def test_jobs_are_json_unless_serializers_are_given() -> None:
    found = both_serializers(None, None)
    message = {"t": 1, "f": "job", "a": [], "k": {}, "et": 1}

    assert set(found) == {"job_serializer", "job_deserializer"}
    assert found["job_serializer"](message) == Codec().encode(message)
    assert found["job_deserializer"](Codec().encode(message)) == Codec().decode(Codec().encode(message))


def test_given_serializers_are_kept() -> None:
    assert both_serializers(encode, decode) == {"job_serializer": encode, "job_deserializer": decode}


def test_a_deserializer_alone_is_kept_and_jobs_are_written_as_json() -> None:
    found = both_serializers(None, decode)

    assert found["job_deserializer"] is decode
    assert found["job_serializer"].__func__ is Codec.encode


def test_a_serializer_whose_messages_nobody_reads_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="job_serializer is set without job_deserializer"):
        both_serializers(encode, None)


def test_pickle_asked_for_by_name_is_read_the_way_arq_does() -> None:
    assert both_serializers(pickle.dumps, None) == {"job_serializer": pickle.dumps, "job_deserializer": None}


def test_queues_are_taken_in_their_order_and_copied() -> None:
    given = {"urgent": 5, "bulk": 2}
    found = checked_queues(given)
    given["late"] = 1

    assert list(found.items()) == [("urgent", 5), ("bulk", 2)]


@pytest.mark.parametrize(
    "queues",
    [
        {},
        None,
        "arq:queue",
        ["arq:queue"],
        [("arq:queue", 1)],
        {"arq:queue": "many"},
        {"a": 1, "b": None},
        {"a": 0},
        {"a": -1},
        {"a": True},
        {"": 3},
        {1: 2},
    ],
    ids=repr,
)
def test_queues_of_another_form_are_refused_with_an_example(queues: object) -> None:
    with pytest.raises(ConfigurationError, match=r'queues must map each queue .* such as \{"arq:queue": 300\}'):
        checked_queues(queues)


def test_rates_are_taken_as_they_are_and_may_be_none() -> None:
    assert checked_rate_limits({"arq:queue": 50, "slow": 0.5}) == {"arq:queue": 50, "slow": 0.5}
    assert checked_rate_limits({}) == {}


@pytest.mark.parametrize(
    "rate_limits",
    [None, 50, [("a", 1)], {"a": 0}, {"a": -1}, {"a": math.inf}, {"a": math.nan}, {"a": True}, {"a": "1"}, {"": 1}],
    ids=repr,
)
def test_rates_of_another_form_are_refused_with_an_example(rate_limits: object) -> None:
    with pytest.raises(ConfigurationError, match=r'rate_limits must map queues .* such as \{"arq:queue": 50\}'):
        checked_rate_limits(rate_limits)
