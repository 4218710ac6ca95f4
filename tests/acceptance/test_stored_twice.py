"""A delivery that would store the hospitals of a list a second time, through the commands and a real worker."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from pymongo import AsyncMongoClient

from producers.commands.support import DONE, NOTHING
from tests.acceptance.conftest import Site
from tests.security.scanner import CANARY
from worker.embedded import EmbeddedMongo, EmbeddedRedis

pytestmark = pytest.mark.asyncio(loop_scope="module")

SOURCE = ("--source", "moh")
NUMBERS = range(1, 31)


def table(header: str, row: str, numbers: range = NUMBERS) -> str:
    return header + "\n" + "".join(row.format(n=n, next=n + 1) + "\n" for n in numbers)


CODES = table("code,name,city", "{n:05},Hospital {n},Town {n}")
NAMES = table("name,city,postal_code", "Hospital {n},Town {n},{n:05}")
BY_NAME = table("code,name,city", "C{n},Hospital {n},Town {n}", range(900)) + "C1,Hospital 7,Port\nC1,Ward,Port\n"
NEW_ON_TOP = table("code,name,city", "D{n},Ward {n},Port {n}", range(4001))
STORED_BELOW = "".join(f"C{n},Hospital {n},Town {n}\n" for n in range(900))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(mongo: EmbeddedMongo, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with EmbeddedRedis(password=CANARY) as redis:
        site = Site(redis, mongo, tmp_path_factory.mktemp("twice"))
        await site.worker()
        yield site
        await site.close()


@pytest_asyncio.fixture(loop_scope="module")
async def hospitals(shared: Site, mongo: EmbeddedMongo) -> AsyncIterator[Any]:
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(mongo.url)
    collection = client[shared.settings.mongodb_database]["hospitals"]
    await collection.delete_many({})
    yield collection
    await client.close()


async def ingest(site: Site, name: str, content: str, *options: str) -> Any:
    path = site.folder / name
    path.write_text(content)
    return await site.run("producers", "ingest", str(path), "--json", *options)


@pytest.mark.parametrize(
    ("first", "second", "options"),
    [
        (CODES, table("code,name,city", "{n},Hospital {n},Town {n}"), SOURCE),
        (CODES, table("code,name,city", "{n}.0,Hospital {n},Town {n}"), SOURCE),
        (CODES, table("Licence No,name,city", "LIC/{n},Hospital {n},Town {n}"), SOURCE),
        (CODES, table("name,city", "Hospital {n},Town {n}"), SOURCE),
        (NAMES, table("name,city", "Hospital {n},Town {n}"), SOURCE),
        (NAMES, table("name,city", "Hospital {n},Town {n}"), ("--profile", "saved")),
        (CODES, table("code,name,city", "{n},Hospital {n},Town {n}"), ("--profile", "saved")),
        (BY_NAME, NEW_ON_TOP + STORED_BELOW, SOURCE),
        (
            table("code,name,city", "{n:05},Hospital {n},Town"),
            table("code,name,city", "{n:05},Hospital {next},Town"),
            (*SOURCE, "--on-existing", "merge"),
        ),
    ],
    ids=[
        "zeros",
        "fraction",
        "column",
        "no code",
        "place",
        "place by profile",
        "by profile",
        "below",
        "given anew",
    ],
)
async def test_it_is_refused(
    shared: Site, hospitals: Any, first: str, second: str, options: tuple[str, ...]
) -> None:
    loaded = await ingest(shared, "first.csv", first, *SOURCE)
    assert json.loads(loaded.out)["created"], loaded.err
    if "saved" in options:
        profile = str(shared.folder / "list.toml")
        await shared.run("producers", "inspect", str(shared.folder / "first.csv"), *SOURCE, "--save", profile)
        options = ("--profile", profile)
    before = await hospitals.find({}).to_list(None)
    done = await ingest(shared, "second.csv", second, *options)
    assert (done.code, done.out) == (NOTHING, ""), done.err
    assert "was not loaded" in done.err
    assert await hospitals.find({}).to_list(None) == before


async def test_a_source_that_is_given_later_stores_nothing_a_second_time(shared: Site, hospitals: Any) -> None:
    await ingest(shared, "list.csv", CODES)
    done = await ingest(shared, "list.csv", CODES, *SOURCE)
    assert (done.code, "without --source" in done.err) == (NOTHING, True)
    assert await hospitals.count_documents({}) == len(NUMBERS)


NO_CODES = table("name,city,state", "Hospital {n},Town {n},North")


@pytest.mark.parametrize(
    ("first", "options", "second"),
    [
        (CODES, SOURCE, CODES),
        (NO_CODES, SOURCE, NO_CODES),
        (CODES, SOURCE, NO_CODES),
        (NAMES, SOURCE, NAMES.replace("Hospital", "HOSPITAL")),
        (CODES, ("--source", "other"), table("name,city,beds", "Hospital {n},Town {n},{n}")),
        (CODES, ("--profile", "saved"), CODES),
    ],
)
async def test_a_source_that_is_missing_later_stores_nothing_a_second_time(
    shared: Site, hospitals: Any, first: str, options: tuple[str, str], second: str
) -> None:
    if "saved" in options:
        profile = shared.folder / "moh.toml"
        (shared.folder / "list.csv").write_text(first)
        await shared.run("producers", "inspect", str(shared.folder / "list.csv"), *SOURCE, "--save", str(profile))
        options = ("--profile", str(profile))
    await ingest(shared, "list.csv", first, *options)
    before = await hospitals.find({}).to_list(None)
    assert len(before) == len(NUMBERS)
    source = before[0]["source"]
    for command in (("ingest", "--on-existing", "merge"), ("register", "--actor", "hr", "--reason", "x", "--file")):
        (shared.folder / "second.csv").write_text(second)
        done = await shared.run("producers", *command, str(shared.folder / "second.csv"))
        assert (done.code, f"read the list with --source {source}" in done.err) == (NOTHING, True), done.err
    assert await hospitals.find({}).to_list(None) == before


async def test_another_list_without_a_source_is_loaded(shared: Site, hospitals: Any) -> None:
    await ingest(shared, "list.csv", CODES, *SOURCE)
    for other in (
        table("name,city", "Hospital {n},Port {n}"),
        table("name,city", "Ward {n},Town {n}"),
        table("name,city", "Ward {n},Town {n}") + "Hospital 1,Town 1\n",
    ):
        done = await ingest(shared, "other.csv", other)
        assert json.loads(done.out)["rejected"] == 0, done.err


def _few(changed: range, row: str = "{n:05},Hospital {n},Town {n},{n:05}") -> str:
    """Return the list in which a spreadsheet has removed the zeros of a few rows."""
    lines = table("code,name,city,zip", row).splitlines()
    for n in changed:
        lines[n] = ",".join(cell.lstrip("0") for cell in lines[n].split(","))
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    "second",
    [
        _few(range(3, 6)),
        _few(range(1, 2)),
        _few(range(20, 30)),
        _few(range(3, 6)).replace("Hospital", "HOSPITAL"),
        "".join(line + "\n" for line in _few(range(1, 1)).splitlines()).replace("00007,H", "7.0,H"),
        _few(range(1, 1)).replace("00007,H", "0007,H").replace(",00007", ",7.0"),
    ],
)
@pytest.mark.parametrize("mode", ["keep", "merge"])
async def test_a_few_codes_without_their_zeros_are_refused(
    shared: Site, hospitals: Any, second: str, mode: str
) -> None:
    await ingest(shared, "first.csv", _few(range(1, 1)), *SOURCE)
    before = await hospitals.find({}).to_list(None)
    done = await ingest(shared, "second.csv", second, *SOURCE, "--on-existing", mode)
    assert (done.code, "zeros in front" in done.err, "as text" in done.err) == (NOTHING, True, True), done.err
    assert await hospitals.find({}).to_list(None) == before


@pytest.mark.parametrize(
    "second",
    [
        _few(range(1, 1)).replace("00007,Hospital 7", "7,Ward 7"),
        _few(range(1, 1)).replace("00007,Hospital 7,Town 7", "7,Hospital 7,Port 7"),
        _few(range(1, 1)) + "7,Hospital 7,Town 7,00007\n",
        _few(range(1, 1)) + "31,Hospital 31,Town 31,00031\n",
    ],
)
async def test_other_hospitals_with_fewer_zeros_are_loaded(shared: Site, hospitals: Any, second: str) -> None:
    await ingest(shared, "first.csv", _few(range(1, 1)), *SOURCE)
    done = await ingest(shared, "second.csv", second, *SOURCE)
    assert (done.code, json.loads(done.out)["created"]) == (DONE, 1), done.err


METRO = table("code,name,city", "C{n:02},Hospital {n},Metro")


def _without(gone: int) -> str:
    """Return the list without one hospital, and with the codes of those below it counted anew."""
    header, *lines = METRO.splitlines()
    rest = [line.split(",", 1)[1] for line in lines[: gone - 1] + lines[gone:]]
    return "\n".join([header, *(f"C{n:02},{line}" for n, line in enumerate(rest, 1))]) + "\n"


@pytest.mark.parametrize("gone", [1, 12, 26, 28])
async def test_codes_that_are_counted_anew_below_a_gap_are_refused(shared: Site, hospitals: Any, gone: int) -> None:
    await ingest(shared, "first.csv", METRO, *SOURCE)
    before = await hospitals.find({}).to_list(None)
    done = await ingest(shared, "second.csv", _without(gone), *SOURCE, "--on-existing", "merge")
    assert (done.code, "counted anew" in done.err) == (NOTHING, True), done.err
    assert await hospitals.find({}).to_list(None) == before


async def test_each_row_of_a_few_is_told(shared: Site, hospitals: Any) -> None:
    await ingest(shared, "list.csv", CODES, *SOURCE)
    lost = CODES.replace("00008,", ",").replace("00009,", "9,")
    done = await ingest(shared, "list.csv", lost, *SOURCE, "--map", "external_id=code")
    assert done.code == DONE
    for told in ("line 9 (Hospital 8) is stored as moh:00008", "line 10 (Hospital 9) is stored as moh:00009"):
        assert told in done.err
    assert await hospitals.count_documents({}) == len(NUMBERS) + 2


async def test_hospitals_of_one_name_and_place_with_two_codes_are_loaded(shared: Site, hospitals: Any) -> None:
    twins = CODES + "00031,Hospital 1,Town 1\n"
    for created in (len(NUMBERS) + 1, 0):
        done = await ingest(shared, "list.csv", twins, *SOURCE)
        assert (done.code, json.loads(done.out)["created"], "stored" in done.err) == (DONE, created, False)
    assert await hospitals.count_documents({}) == len(NUMBERS) + 1


async def test_rows_that_were_in_collision_are_not_said_to_be_stored(shared: Site, hospitals: Any) -> None:
    collided = "code,name,city,beds\nA1,Oak,Town,1\nA1,Oak,Town 2,2\nA2,Ash,Port,3\nA2,Elm,Port,4\n"
    loaded = await ingest(shared, "list.csv", collided, *SOURCE, "--map", "external_id=code")
    rejects = json.loads(loaded.out)["rejects"]
    command = ("producers", "ingest", rejects, "--json", "--map", "external_id=code + city + name")
    done = await shared.run(*command)
    assert json.loads(done.out)["created"] == 2
    assert "stored" not in done.err
    assert await hospitals.count_documents({}) == 4


async def test_a_file_is_not_registered_a_second_time(shared: Site, hospitals: Any) -> None:
    await ingest(shared, "list.csv", CODES, *SOURCE)
    path = shared.folder / "register.csv"
    path.write_text(table("code,name,city", "{n},Hospital {n},Town {n}"))
    why = ("--actor", "hr", "--reason", "list")
    done = await shared.run("producers", "register", "--file", str(path), *SOURCE, *why)
    assert (done.code, "was not loaded" in done.err) == (NOTHING, True)
    assert await hospitals.count_documents({}) == len(NUMBERS)
