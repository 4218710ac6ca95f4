"""A seeded generator of hostile jobs, such as a client with access to Redis might enqueue.

    for job in Envelopes(seed=7).take(1_000):
        ...  # put `job.payload` at arq:job:ID as `job.stored_as` says, and `job.job_id` on `job.queue`

Equal seeds give equal jobs. About one in 20 is valid, and its `outcome` is the expected one. For each of the
others, `fate` says whether it must become a dead letter. No job names an unknown function: such a job is deferred
until a worker knows the function, and so never ends. Every payload contains `SECRET`, which must not appear in any
log line.
"""

import hashlib
import hmac
import pickle  # noqa: TID251 - to create bytes that must not be unpickled
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import orjson

from worker.contract import BULK_QUEUE, DEFAULT_QUEUE

SECRET = "zq7canary"
"""In every payload that can hold a text, followed by the job's number."""
TOO_LARGE = 16 * 1024 * 1024 + 1
"""Size of the largest envelopes, in bytes: one more than the contract accepts."""

StoredAs = Literal["string", "list", "hash", "set", "nothing"]
Fate = Literal["done", "dead", "either"]
Build = Callable[[], "FuzzedJob"]

_HOLE = b'"@hole@"'
# JSON texts that replace a valid value.
HOSTILE_VALUES: Sequence[bytes] = (
    b"null", b"true", b"0", b"-1", b"1.5", b'""', b'"  "', b"[]", b"{}", b"[[]]", b'[{"$gt":""}]',
    b"18446744073709551616", b"-9223372036854775809", b"1" + b"0" * 400, b"-1" + b"0" * 400, b"1e308", b"1e400",
    b"NaN", b"Infinity", b"-Infinity", b"nan", b"0x10", b"01", b"'x'", b"undefined",
    b'"\\ud800"', b'"\\udfff\\ud800"', b'"a\\u0000b"', b'"\\u0000"', b'"a\\nb"', b'"\\u2028"', b'"\\u202e"',
    b'{"\\u0000":1}', b'{"\\ud800":1}', b'"\xff\xfe"', b'"\xed\xa0\x80"', b'"\x00"', b'"$hospital_name"',
    b'"$$ROOT"',
    b'{"$gt":""}', b'{"$ne":null}', b'{"$where":"sleep(100)"}', b'{"$regex":".*"}', b'{"$exists":true}',
    b'{"$oid":"000000000000000000000000"}', b'{"__exception__":{"type":"CancelledError"}}',
    b'{"a.b":1}', b'{"$set":{"status":"registered"}}', b'"' + b"x" * 7_000 + b'"', b"[" + b"0," * 2_000 + b"0]",
)  # fmt: skip
HOSTILE_KEYS: Sequence[bytes] = (
    b'"$set"', b'"$where"', b'"a.b"', b'"a\\u0000b"', b'"\\u0000"', b'"\\ud800"', b'"_id"', b'"status"', b'""',
    b'"$"', b'"."', b'"__proto__"', b'"__class__"', b'"[key]"', b'"' + b"k" * 7_000 + b'"', b'"\\u001b[2J"',
)  # fmt: skip
_WRONG_FIELDS: Mapping[str, Sequence[bytes]] = {
    "v": (b"0", b"2", b"true", b"1.0", b'"1"', b"null", b"[1]", b"{}", b"18446744073709551616"),
    "f": (b"null", b"1", b"true", b"[]", b"{}", b'["ingest_hospital"]', b'{"$gt":""}', b'"\\ud800"'),
    "a": (b"null", b"1", b'"x"', b"{}", b"true", b'{"0":{}}', b"[NaN]", b"[1" + b"0" * 400 + b"e400]"),
    "k": (b"null", b"1", b'"x"', b"[]", b"true", b"[[]]"),
    "t": (b'"9"', b"true", b"1.0", b"-1", b"1000001", b"18446744073709551615", b"[]", b"{}", b"NaN"),
    "et": (b"null", b'"1"', b"true", b"-1", b"1e20", b"10000000000001", b"[]", b"{}", b"1" + b"0" * 400),
}  # fmt: skip
_ODD_IDS: Sequence[bytes] = (
    b"%b\x00", b"\x00%b", b"%b\nINFO forged line", b"%b\r\n", b" %b ", b"%b*?[a-z]", b"%b{slot}", b"%b\x1b[2J",
    b"%b:\xf0\x9f\x8f\xa5", b"../%b", b"arq:queue:%b", b"$%b", b'"%b"', b"%b" + b"x" * 50_000,
)  # fmt: skip
_BYTES_NOT_UTF8: Sequence[bytes] = (b"%b\xff\xfe", b"\x80%b", b"%b\xed\xa0\x80", b"%b\xc0\x80")
_DUE_SCORES = (float("-inf"), -1.7e308, -5.0, -0.0, 0.0, 5e-324, 0.5, 1e3, 1_700_000_000_000.25)


@dataclass(frozen=True, slots=True)
class FuzzedJob:
    """One job: where it is written, what its key holds, and how it must end.

    `outcome` is what the result of a job with the fate `done` must at least contain. `tries` is the number of tries
    that a dead letter must report: 1, unless the envelope itself claims more.
    """

    kind: str
    job_id: bytes
    queue: str
    payload: bytes
    fate: Fate
    score: float = 1.0
    stored_as: StoredAs = "string"
    outcome: Mapping[str, object] | None = None
    tries: int = 1


class _Touch:
    """Creates a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self._marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self._marker,)


class Envelopes:
    """An endless sequence of fuzzed jobs.

    `signing_key` is a key id and a secret: most envelopes are then signed with it, so that they pass the signature
    check, and some have a wrong signature. `marker` is the file that hostile pickles would create. `victims` are
    identities of hospitals that operator objects target. `large` includes envelopes that are too large.
    """

    def __init__(
        self,
        seed: int,
        *,
        signing_key: tuple[str, str] | None = None,
        marker: Path = Path("unpickled"),
        victims: Sequence[str] = ("victim:1",),
        large: bool = True,
    ) -> None:
        self._random = random.Random(seed)
        self._signing_key = signing_key
        self._marker = marker
        self._victims = list(victims)
        self._seed = seed
        self._number = 0
        kinds: dict[Build, float] = {
            self._valid: 50,
            self._wrong_field: 130,
            self._missing_field: 40,
            self._wrong_arguments: 70,
            self._hostile_value: 200,
            self._hostile_key: 100,
            self._operator: 120,
            self._too_many_tries: 5,
            self._truncated: 60,
            self._random_bytes: 50,
            self._changed_byte: 60,
            self._repeated_names: 20,
            self._deep: 10,
            self._very_deep: 1,
            self._pickled: 20,
            self._without_payload: 10,
            self._of_another_type: 15,
            self._odd_id: 15,
            self._odd_score: 10,
        }
        if large:
            kinds[self._too_large] = 0.05
        if signing_key is not None:
            kinds[self._untrusted] = 60
        self._kinds, self._weights = list(kinds), list(kinds.values())

    def __iter__(self) -> Iterator[FuzzedJob]:
        """Yield jobs without end."""
        while True:
            for build in self._random.choices(self._kinds, self._weights, k=1_000):
                self._number += 1
                yield build()

    def take(self, count: int) -> Iterator[FuzzedJob]:
        """Yield the first `count` jobs."""
        return islice(self, count)

    # ---- valid jobs, from which the others are made ---------------------------------------------------

    def _secret(self) -> str:
        return f"{SECRET}{self._number}"

    def _record(self, part: int = 0) -> dict[str, Any]:
        return {
            "hospital_name": f"Fuzz {self._secret()}",
            "source": "fuzz",
            "external_id": f"{self._seed}-{self._number}-{part}",
            "city": self._secret(),
            "beds": self._number % 1_000,
            "emergency_services": True,
            "location": {"type": "Point", "coordinates": [15.9, 45.8]},
            "attributes": {"note": self._secret(), "rate": 4.5},
            "observed_at": "2024-06-30T12:00:00Z",
        }

    def _job(self) -> tuple[str, dict[str, Any], Mapping[str, object]]:
        """Return a function, a valid payload, and what its outcome must contain."""
        absent = {"hospital_id": f"fuzz:{self._seed}-{self._number}"}
        act = {"actor": self._secret(), "reason": self._secret()}
        job: tuple[str, dict[str, Any], Mapping[str, object]]
        match self._random.randrange(20):
            case 0 | 1:
                records = [self._record(part) for part in range(3)]
                job = "ingest_hospitals", {"records": records}, {"statuses": ["created"] * 3}
            case 2 | 3:
                job = "register_hospital", {"record": self._record(), **act}, {"status": "registered"}
            case 4 | 5:
                changes = {"changes": {"city": self._secret(), "beds": None}, "revision": 1}
                job = "correct_hospital", {**absent, **changes}, {"status": "not_found"}
            case 6 | 7:
                job = "discard_hospital", {**absent, "revision": 1}, {"status": "discarded"}
            case 8:
                changes = {"changes": {"city": self._secret()}, "revision": 3}
                job = "amend_hospital", {**absent, **changes, **act}, {"status": "not_found"}
            case 9:
                job = "withdraw_hospital", {**absent, "revision": 3, **act}, {"status": "not_found"}
            case _:
                job = "ingest_hospital", {"record": self._record(), "on_existing": "merge"}, {"status": "created"}
        return job

    def _body(self, function: str, payload: object) -> bytes:
        return orjson.dumps({"v": 1, "t": None, "f": function, "a": [payload], "k": {}, "et": 1_751_284_800_000})

    def _valid(self) -> FuzzedJob:
        function, payload, outcome = self._job()
        queue = BULK_QUEUE if function == "ingest_hospitals" else DEFAULT_QUEUE
        return self._new_job("valid", self._body(function, payload), "done", queue=queue, outcome=outcome)

    # ---- faults of the other jobs ---------------------------------------------------------------------

    def _wrong_field(self) -> FuzzedJob:
        function, payload, _ = self._job()
        name = self._random.choice(list(_WRONG_FIELDS))
        fields = {"v": b"1", "t": b"null", "f": orjson.dumps(function), "a": orjson.dumps([payload])}
        fields |= {"k": b"{}", "et": b"1", name: self._random.choice(_WRONG_FIELDS[name])}
        body = b",".join(b'"%b":%b' % (name.encode(), text) for name, text in fields.items())
        return self._new_job(f"field {name}", b"{" + body + b"}", "dead")

    def _missing_field(self) -> FuzzedJob:
        function, payload, _ = self._job()
        message = orjson.loads(self._body(function, payload))
        for name in self._random.sample(["v", "f", "a", "et"], self._random.randint(1, 4)):
            del message[name]
        return self._new_job("missing field", orjson.dumps(message), "dead")

    def _wrong_arguments(self) -> FuzzedJob:
        function, payload, _ = self._job()
        positional, named = self._random.choice(
            [
                ([], {}), ([payload, payload], {}), ([], {"payload": 7}), ([payload], {"payload": payload}),
                ([payload], {"ctx": {}}), ([payload], {"$where": self._secret()}), ([None], {}), ([1], {}),
                ([self._secret()], {}), ([[payload]], {}), ([True], {}), ([{}], {}), ([[]], {}), ([1.5], {}),
                ([orjson.dumps(payload).decode()], {}),
            ]
        )  # fmt: skip
        body = orjson.dumps({"v": 1, "f": function, "a": positional, "k": named, "et": 1})
        return self._new_job("arguments", body, "dead")

    def _hostile_value(self) -> FuzzedJob:
        function, payload, _ = self._job()
        container, key = self._random.choice(list(_places(payload)))
        container[key] = "@hole@"
        body = self._body(function, payload).replace(_HOLE, self._random.choice(HOSTILE_VALUES))
        return self._new_job("value", body, "either")

    def _hostile_key(self) -> FuzzedJob:
        function, payload, _ = self._job()
        mappings = [payload, *(container[key] for container, key in _places(payload))]
        mapping = self._random.choice([mapping for mapping in mappings if isinstance(mapping, dict)])
        mapping["@hole@"] = self._secret()
        body = self._body(function, payload).replace(_HOLE, self._random.choice(HOSTILE_KEYS))
        # A chunk rejects its invalid records and is done; some of the keys are valid attribute names.
        lenient = function == "ingest_hospitals" or "rate" in mapping
        return self._new_job("key", body, "either" if lenient else "dead")

    def _operator(self) -> FuzzedJob:
        """Replace a text that identifies a hospital or controls the job with an operator or a list."""
        victim = self._random.choice(self._victims)
        operator: Any = self._random.choice(
            [
                {"$gt": ""}, {"$ne": None}, {"$in": self._victims}, {"$regex": f"^{victim[:3]}"}, [victim],
                {"$eq": victim}, {"$where": "sleep(100) || true"}, {"$not": {"$eq": ""}}, {"hospital_id": victim},
                {"$expr": {"$eq": ["$_id", victim]}}, victim + "\x00", {"$literal": victim}, {victim: 1},
            ]
        )  # fmt: skip
        acts = {"actor": "a", "reason": self._secret()}
        jobs: list[tuple[str, dict[str, Any], str]] = [
            ("correct_hospital", {"changes": {"city": "x"}, "revision": 1}, "hospital_id"),
            ("discard_hospital", {"revision": 1}, "hospital_id"),
            ("amend_hospital", {"changes": {"city": "x"}, **acts}, "hospital_id"),
            ("withdraw_hospital", acts, "hospital_id"),
            ("discard_hospital", {"hospital_id": victim}, "revision"),
            ("correct_hospital", {"hospital_id": victim, "changes": {"city": "x"}}, "revision"),
            ("correct_hospital", {"hospital_id": victim, "revision": 1}, "changes"),
            ("withdraw_hospital", {"hospital_id": victim, "reason": self._secret()}, "actor"),
            ("register_hospital", {"record": self._record(), "actor": "a"}, "reason"),
            ("ingest_hospital", {"record": self._record()}, "on_existing"),
        ]
        function, payload, field = self._random.choice(jobs)
        return self._new_job("operator", self._body(function, {**payload, field: operator}), "dead")

    def _too_many_tries(self) -> FuzzedJob:
        function, payload, _ = self._job()
        tries = self._random.choice([1_001, 10_000, 10**6])
        body = orjson.dumps({"v": 1, "t": tries, "f": function, "a": [payload], "k": {}, "et": 1})
        return self._new_job("tries", body, "dead", tries=tries)

    def _truncated(self) -> FuzzedJob:
        body = self._body(*self._job()[:2])
        return self._new_job("truncated", body[: self._random.randrange(len(body))], "dead")

    def _random_bytes(self) -> FuzzedJob:
        data = self._random.randbytes(self._random.randrange(300))
        return self._new_job("random bytes", data + self._secret().encode(), "dead")

    def _changed_byte(self) -> FuzzedJob:
        body = bytearray(self._body(*self._job()[:2]))
        # After the function's name: a changed name would be unknown, not invalid.
        position = self._random.randrange(body.index(b'"a":[') + 5, len(body))
        body[position] ^= self._random.randrange(1, 256)
        return self._new_job("changed byte", bytes(body), "either")

    def _repeated_names(self) -> FuzzedJob:
        function, payload, outcome = self._job()
        again = self._random.choice(
            [b'"a":5', b'"f":[]', b'"v":2', b'"et":-1', b'"k":{"x":1}', b'"a":[{"$gt":""}]']
        )
        valid, draw = self._body(function, payload), self._random.random()
        if draw < 0.5:
            # Of two equal names, the last one counts.
            return self._new_job("repeated name", valid[:-1] + b"," + again + b"}", "dead")
        return self._new_job("repeated name", b"{" + again + b"," + valid[1:], "done", outcome=outcome)

    def _deep(self) -> FuzzedJob:
        return self._nested(1_000)

    def _very_deep(self) -> FuzzedJob:
        return self._nested(100_000)

    def _nested(self, depth: int) -> FuzzedJob:
        opening, closing = self._random.choice([(b"[", b"]"), (b'{"a":', b"}"), (b'[{"$or":', b"}]"), (b"[", b"")])
        value = opening * depth + b"1" + closing * depth
        function, payload, _ = self._job()
        container, key = self._random.choice(list(_places(payload)))
        container[key] = "@hole@"
        body = self._body(function, payload).replace(_HOLE, value)
        return self._new_job(f"depth {depth:,}", body, "dead")

    def _too_large(self) -> FuzzedJob:
        function, payload, _ = self._job()
        if self._random.random() < 0.5:
            # Valid except for the white space.
            body = self._body(function, payload)
            return self._new_job("too large", body[:-1] + b" " * TOO_LARGE + b"}", "dead")
        body = self._body(function, {**payload, "filling": "x" * TOO_LARGE})
        return self._new_job("too large", body, "dead")

    def _pickled(self) -> FuzzedJob:
        function, payload, _ = self._job()
        message: dict[str, Any] = {"t": None, "f": function, "a": (payload, _Touch(self._marker)), "k": {}, "et": 1}
        data = pickle.dumps(message, self._random.randint(0, pickle.HIGHEST_PROTOCOL))
        return self._new_job("pickle", data, "dead")

    def _without_payload(self) -> FuzzedJob:
        return replace(self._new_job("no payload", b"", "dead"), stored_as="nothing")

    def _of_another_type(self) -> FuzzedJob:
        other: list[StoredAs] = ["list", "hash", "set"]
        return replace(self._valid(), kind="type", fate="dead", stored_as=self._random.choice(other))

    def _odd_id(self) -> FuzzedJob:
        valid = self._valid()
        if self._random.random() < 0.3:
            form = self._random.choice(_BYTES_NOT_UTF8)
            return replace(valid, kind="id not UTF-8", job_id=form % valid.job_id, fate="dead")
        return replace(valid, kind="odd id", job_id=self._random.choice(_ODD_IDS) % valid.job_id)

    def _odd_score(self) -> FuzzedJob:
        return replace(self._valid(), kind="odd score", score=self._random.choice(_DUE_SCORES))

    def _untrusted(self) -> FuzzedJob:
        body = self._body(*self._job()[:2])
        signed = self._signed(body)
        position = self._random.randrange(len(signed))
        changed = (
            signed[:position] + bytes([signed[position] ^ self._random.randrange(1, 256)]) + signed[position + 1 :]
        )
        digest = hashlib.sha256(body).hexdigest().encode()
        payload = self._random.choice(
            [
                body,
                changed,
                signed + b" ",
                signed.replace(b"sha256", b"sha512", 1),
                b"hmac-sha256:other:%b:%b" % (digest, body),
                b"hmac-sha256::%b:%b" % (digest, body),
                b"hmac-sha256:%b" % body,
                signed.split(b":", 3)[-1].join((b"hmac-sha256:fuzz::", b"")),
            ]
        )
        return replace(self._new_job("untrusted", body, "dead"), payload=payload)

    # ---- wrapping and signing -------------------------------------------------------------------------

    def _new_job(self, kind: str, body: bytes, fate: Fate, queue: str = DEFAULT_QUEUE, **more: Any) -> FuzzedJob:
        job_id = b"fuzz:%d:%d" % (self._seed, self._number)
        return FuzzedJob(kind, job_id, queue, self._signed(body), fate, **more)

    def _signed(self, body: bytes) -> bytes:
        if self._signing_key is None:
            return body
        key_id, secret = self._signing_key
        digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        return f"hmac-sha256:{key_id}:{digest}:".encode() + body


def _places(value: object) -> Iterator[tuple[Any, Any]]:
    """Yield every value's place in a payload: its container, and its key or position there."""
    pairs: Iterator[tuple[Any, Any]]
    if isinstance(value, dict):
        pairs = iter(list(value.items()))
    elif isinstance(value, list):
        pairs = iter(list(enumerate(value)))
    else:
        return
    for key, inner in pairs:
        yield value, key
        yield from _places(inner)
