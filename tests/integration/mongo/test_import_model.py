"""A model of what becomes of rows: after any sequence of chunks, the registry and the outcomes are as it says."""

import asyncio
import itertools
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from worker.contract import ChunkOutcome, HospitalRecord
from worker.contract.known import known_fields
from worker.embedded import EmbeddedMongo
from worker.mongo.chunks import ingest_many
from worker.mongo.claims import IMPORT_CLAIMS
from worker.mongo.client import open_mongo
from worker.mongo.schema import ensure_schema
from worker.settings import load_settings

T = TypeVar("T")
APPLIED = ("created", "merged", "replaced")
_sources = itertools.count(1)


class Key(NamedTuple):
    """What tells two hospitals apart."""

    name: str
    city: str | None


class Row(NamedTuple):
    """A row of a list: few values, so that rows often agree and often differ."""

    number: int
    key: Key
    beds: int | None


@dataclass
class Stored:
    """A stored hospital."""

    name: str
    city: str | None
    beds: int | None
    registered: bool = False
    origin: tuple[str, int] | None = None

    @property
    def key(self) -> Key:
        return Key(self.name, self.city)


@dataclass
class Sent:
    """A chunk that was sent, and its outcome."""

    job: str
    import_id: str | None
    lines: list[int]
    mode: str
    rows: Sequence[Row]
    statuses: list[str] = field(default_factory=list)


ROWS = st.builds(
    Row,
    st.integers(1, 3),
    st.builds(Key, st.sampled_from(["A", "B"]), st.sampled_from([None, "X", "Y"])),
    st.sampled_from([None, 1, 2]),
)
CHUNKS = st.lists(ROWS, min_size=1, max_size=5)
IMPORTS = st.sampled_from(["i", "j", None])
ON_EXISTING = st.sampled_from(["keep", "merge", "replace"])


class ImportMachine(RuleBasedStateMachine):
    """Sends chunks of imports one after the other, at once and again, while hospitals are registered."""

    url = ""
    database = ""

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.new_event_loop()
        self.source = f"s{next(_sources)}"
        self.mongo = self._run(self._open())
        self.stored: dict[int, Stored] = {}
        self.claims: dict[tuple[str, int], tuple[int, Key]] = {}
        self.sent: list[Sent] = []
        self.applied: dict[tuple[str, int], set[Key]] = {}
        self.latest: Sent | None = None
        self.line = 0

    def _run(self, call: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(call)

    async def _open(self) -> Any:
        return open_mongo(load_settings(mongodb_url=self.url, mongodb_database=self.database))

    def teardown(self) -> None:
        self._run(self.mongo.close())
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    def _id(self, number: int) -> str:
        return f"{self.source}:h{number}"

    def _import(self, import_id: str | None) -> str | None:
        return None if import_id is None else f"{self.source}-{import_id}"

    def _next(self, import_id: str | None, mode: str, rows: Sequence[Row]) -> Sent:
        lines = [self.line + position for position in range(1, len(rows) + 1)]
        self.line += len(rows)
        return Sent(f"{self.source}-{len(self.sent)}-{self.line}", import_id, lines, mode, rows)

    async def _ingest(self, sent: Sent) -> ChunkOutcome:
        records = [
            known_fields(
                HospitalRecord(
                    hospital_name=row.key.name, city=row.key.city, beds=row.beds, source=self.source,
                    external_id=f"h{row.number}",
                )
            )
            for row in sent.rows
        ]  # fmt: skip
        mode: Any = sent.mode
        return await ingest_many(
            self.mongo, records, mode, sent.job, import_id=self._import(sent.import_id), lines=sent.lines
        )

    # ---- the model ------------------------------------------------------------------------------------

    def _expected(self, sent: Sent) -> list[str]:
        """Return what becomes of each row, and change the model's registry."""
        statuses: dict[int, str] = {}
        for number in {row.number for row in sent.rows}:
            rows = {position: row for position, row in enumerate(sent.rows) if row.number == number}
            statuses |= self._expected_of_one(sent, number, rows)
        return [statuses[position] for position in range(len(sent.rows))]

    def _expected_of_one(self, sent: Sent, number: int, rows: dict[int, Row]) -> dict[int, str]:
        statuses: dict[int, str] = {}
        first = next(iter(rows))
        found = self.stored.get(number)
        holder: Key
        if found is None:
            origin = None if sent.import_id is None else (sent.import_id, sent.lines[first])
            self.stored[number] = Stored(*rows[first].key, rows[first].beds, origin=origin)
            statuses[first], holder = "created", rows[first].key
        elif sent.import_id is not None and found.origin is not None and found.origin[0] == sent.import_id:
            holder = found.key
        else:
            fitting = [position for position, row in rows.items() if not self._in_conflict(found, row)]
            if not fitting:
                return dict.fromkeys(rows, "conflict")
            holder = rows[fitting[0]].key
            if sent.import_id is not None:
                claim = (sent.lines[fitting[0]], holder)
                _, holder = self.claims.setdefault((sent.import_id, number), claim)
        for position, row in rows.items():
            if position not in statuses:
                statuses[position] = "collision" if row.key != holder else self._expected_change(sent, row)
        return statuses

    def _in_conflict(self, found: Stored, row: Row) -> bool:
        moved = found.city is not None and row.key.city is not None and found.city != row.key.city
        return found.name != row.key.name and moved

    def _expected_change(self, sent: Sent, row: Row) -> str:
        found = self.stored[row.number]
        now, given = (found.name, found.city, found.beds), (*row.key, row.beds)
        if sent.mode != "replace":
            given = tuple(old if new is None else new for old, new in zip(now, given, strict=True))  # type: ignore[assignment]
        if now == given:
            return "same"
        if self._in_conflict(found, row):
            # Another import has changed the hospital since a row of this one claimed the identity.
            return "conflict"
        if found.registered:
            return "registered"
        if sent.mode == "keep":
            return "kept"
        found.name, found.city, found.beds = given
        return "merged" if sent.mode == "merge" else "replaced"

    # ---- the operations -------------------------------------------------------------------------------

    @rule(import_id=IMPORTS, mode=ON_EXISTING, rows=CHUNKS)
    def send(self, import_id: str | None, mode: str, rows: list[Row]) -> None:
        sent = self._next(import_id, mode, rows)
        expected = self._expected(sent)
        outcome = self._run(self._ingest(sent))
        assert outcome.statuses == expected
        self._note(sent, outcome)
        self.latest = sent

    @rule(chunks=st.lists(st.tuples(IMPORTS, ON_EXISTING, CHUNKS), min_size=2, max_size=3))
    def send_at_once(self, chunks: list[tuple[str | None, str, list[Row]]]) -> None:
        sent = [self._next(*chunk) for chunk in chunks]

        async def together() -> list[ChunkOutcome]:
            return await asyncio.gather(*(self._ingest(each) for each in sent))

        for each, outcome in zip(sent, self._run(together()), strict=True):
            self._note(each, outcome)
        if len({each.import_id for each in sent}) > 1:
            # Which import changed a hospital last is not known.
            touched = {row.number for each in sent for row in each.rows}
            self.applied = {key: rows for key, rows in self.applied.items() if key[1] not in touched}
        self._run(self._take_over())
        self.latest = None

    @precondition(lambda self: self.latest is not None)
    @rule()
    def deliver_the_latest_again(self) -> None:
        assert self.latest is not None
        before = self._run(self._hospitals())
        outcome = self._run(self._ingest(self.latest))
        assert outcome.statuses == self.latest.statuses
        assert self._run(self._hospitals()) == before

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def deliver_again(self, data: st.DataObject) -> None:
        sent = data.draw(st.sampled_from(self.sent))
        outcome = self._run(self._ingest(sent))
        pairs = list(zip(sent.statuses, outcome.statuses, strict=True))
        # A row that changed nothing left no trace, so it is decided anew.
        assert [first for first, _ in pairs if first in APPLIED] == [
            again for first, again in pairs if first in APPLIED
        ]
        # A row that was not applied before may be applied now.
        sent.statuses = [first if first in APPLIED else "" for first in sent.statuses]
        self._note(sent, outcome)
        self._run(self._take_over())
        self.latest = None

    @precondition(lambda self: any(not each.registered for each in self.stored.values()))
    @rule(data=st.data())
    def register(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(n for n, each in self.stored.items() if not each.registered)))
        change = {"$set": {"status": "registered"}}
        self._run(self.mongo.hospitals.update_one({"_id": self._id(number)}, change))
        self.stored[number].registered = True
        self.latest = None

    def _note(self, sent: Sent, outcome: ChunkOutcome) -> None:
        noted, sent.statuses = sent.statuses, list(outcome.statuses)
        if sent not in self.sent:
            self.sent.append(sent)
        assert len(outcome.statuses) == len(sent.rows)
        explained = {each.index for each in outcome.not_applied}
        for position, (row, status) in enumerate(zip(sent.rows, outcome.statuses, strict=True)):
            assert (position in explained) is (status not in (*APPLIED, "same")), status
            if status in APPLIED and status not in noted[position : position + 1]:
                # A change by others is what later rows of an import are compared with.
                for other in [each for each in self.applied if each[1] == row.number and each[0] != sent.import_id]:
                    del self.applied[other]
                if sent.import_id is not None:
                    self.applied.setdefault((sent.import_id, row.number), set()).add(row.key)

    async def _hospitals(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await self.mongo.hospitals.find({"source": self.source}).to_list(None)
        return sorted(found, key=lambda hospital: str(hospital["_id"]))

    async def _take_over(self) -> None:
        """Make the model what the database is, after chunks whose order is not known."""
        for hospital in await self._hospitals():
            origin, _, line = hospital.get("import", "").rpartition(":")
            self.stored[int(hospital["external_id"][1:])] = Stored(
                hospital["hospital_name"],
                hospital.get("city"),
                hospital.get("beds"),
                hospital["status"] == "registered",
                (origin.removeprefix(f"{self.source}-"), int(line)) if origin else None,
            )
        for document in await self.mongo.database[IMPORT_CLAIMS].find({}).to_list(None):
            source, _, import_id = document["import"].partition("-")
            if source != self.source:
                continue
            for claim in document["claims"]:
                number = int(claim["hospital"].rpartition(":h")[2])
                self.claims[import_id, number] = (
                    claim["line"],
                    Key(claim["row"]["hospital_name"], claim["row"].get("city")),
                )

    @invariant()
    def the_registry_is_as_the_model_says(self) -> None:
        found = {
            int(hospital["external_id"][1:]): (
                hospital["hospital_name"], hospital.get("city"), hospital.get("beds"), hospital["status"]
            )
            for hospital in self._run(self._hospitals())
        }  # fmt: skip
        assert found == {
            number: (each.name, each.city, each.beds, "registered" if each.registered else "partial")
            for number, each in self.stored.items()
        }

    @invariant()
    def no_import_has_written_two_hospitals_under_one_identity(self) -> None:
        assert [claimed for claimed, keys in self.applied.items() if len(keys) > 1] == []


def test_imports_behave_like_their_model(replica_set: EmbeddedMongo) -> None:
    async def prepare() -> None:
        mongo = open_mongo(load_settings(mongodb_url=replica_set.url, mongodb_database="import_model"))
        await ensure_schema(mongo)
        await mongo.close()

    asyncio.run(prepare())

    class Machine(ImportMachine):
        url, database = replica_set.url, "import_model"
        runs = 0

        def teardown(self) -> None:
            Machine.runs += 1
            super().teardown()

    # With a database behind each step, making a failure shorter takes longer than a test may.
    phases = [phase for phase in Phase if phase is not Phase.shrink]
    run_state_machine_as_test(
        Machine, settings=settings(max_examples=25, stateful_step_count=15, deadline=None, phases=phases)
    )
    assert Machine.runs >= 25
