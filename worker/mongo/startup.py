"""Checks at start that the configured MongoDB is usable, and explains in one line if it is not."""

from typing import Any

from pymongo import AsyncMongoClient
from pymongo.errors import ConnectionFailure, OperationFailure, PyMongoError, ServerSelectionTimeoutError
from pymongo.uri_parser import parse_uri

from worker.errors import ConfigurationError
from worker.mongo.client import Document, MongoHandle
from worker.mongo.errors import describe_code
from worker.settings import Settings

# The first release whose replica sets acknowledge writes by majority by default, and the oldest that MongoDB's
# current drivers are still tested against.
OLDEST_SERVER = (5, 0)
_REFUSED_CREDENTIALS = frozenset({13, 18})
_PROBE_MS = 2_000
_MAKE_REPLICA_SET = (
    "transactions need a replica set. Make it one: start mongod with --replSet rs0, run rs.initiate() in mongosh "
    "once, and add ?replicaSet=rs0 to MONGODB_URL"
)


async def check_mongo(mongo: MongoHandle, settings: Settings) -> str:
    """Return the server's version if it answers, is new enough and can run transactions.

    Raises `ConfigurationError` otherwise, with one line: what is wrong, at which host, what to do.
    """
    hosts = _hosts(settings)
    try:
        hello = await mongo.database.command("hello")
        build = await mongo.database.command("buildInfo")
        # Connecting reveals wrong credentials; reading this service's data reveals missing rights.
        await mongo.hospitals.find_one({"_id": ""}, projection=["_id"])
    except ServerSelectionTimeoutError:
        raise ConfigurationError(await _diagnose(hosts, settings)) from None
    except OperationFailure as error:
        raise ConfigurationError(_refusal(hosts, settings, error)) from None
    except ConnectionFailure as error:
        raise ConfigurationError(
            f"MONGODB_URL: lost the connection to {_joined(hosts)} ({type(error).__name__}): "
            "check the server and the network"
        ) from None
    if (problem := _no_transactions(hello)) is not None:
        raise ConfigurationError(f"MONGODB_URL: {_joined(hosts)} is {problem}")
    version = str(build["version"])
    if tuple(build["versionArray"][:2]) < OLDEST_SERVER:
        oldest = ".".join(map(str, OLDEST_SERVER))
        raise ConfigurationError(
            f"MONGODB_URL: {_joined(hosts)} runs MongoDB {version}; {oldest} or newer is needed"
        )
    return version


def _hosts(settings: Settings) -> list[tuple[str, int | None]]:
    url = settings.mongodb_url.get_secret_value()
    if url.startswith("mongodb+srv://"):
        return []
    return list(parse_uri(url)["nodelist"])


def _joined(hosts: list[tuple[str, int | None]]) -> str:
    return ", ".join(f"{host}:{port}" if port else host for host, port in hosts) or "the servers of the SRV record"


def _no_transactions(hello: Document) -> str | None:
    if hello.get("isreplicaset"):
        return "started with --replSet but not initiated: run rs.initiate() in mongosh once"
    if "setName" not in hello and hello.get("msg") != "isdbgrid":
        return f"a standalone server; {_MAKE_REPLICA_SET}"
    return None


def _refusal(hosts: list[tuple[str, int | None]], settings: Settings, error: OperationFailure) -> str:
    if error.code in _REFUSED_CREDENTIALS:
        return (
            f"MONGODB_URL: {_joined(hosts)} refused the user or password, or the user may not read and write "
            f"{settings.mongodb_database}: check them, authSource, and the user's roles"
        )
    return f"MONGODB_URL: {_joined(hosts)} refused a command: {describe_code(error.code)}"


async def _diagnose(hosts: list[tuple[str, int | None]], settings: Settings) -> str:
    """Return why no primary was found, asking each host directly.

    To the client a wrong replica set name looks like a server that is down.
    """
    options = _probe_options(settings)
    for host, port in hosts:
        probe: AsyncMongoClient[Document] = AsyncMongoClient(host, port, **options)
        try:
            hello = await probe.admin.command("hello")
        except OperationFailure as error:
            return _refusal(hosts, settings, error)
        except PyMongoError:
            continue
        finally:
            await probe.close()
        if (problem := _no_transactions(hello)) is not None:
            return f"MONGODB_URL: {host}:{port} is {problem}"
        named = parse_uri(settings.mongodb_url.get_secret_value())["options"].get("replicaSet")
        if named not in (None, hello.get("setName")):
            return (
                f"MONGODB_URL: replicaSet is {named}, but {host}:{port} belongs to replica set "
                f"{hello.get('setName', '(none)')}: correct replicaSet in the URL"
            )
        return (
            f"MONGODB_URL: {host}:{port} answers, but replica set {hello.get('setName', '(none)')} had no usable "
            f"primary for {settings.mongodb_selection_timeout:g} s: check replicaSet in the URL, and rs.status()"
        )
    return (
        f"MONGODB_URL: no server answers at {_joined(hosts)} within {settings.mongodb_selection_timeout:g} s: "
        "check host and port, and that mongod runs"
    )


def _probe_options(settings: Settings) -> dict[str, Any]:
    """Return the options to connect to one host with the URL's credentials and TLS settings."""
    url = parse_uri(settings.mongodb_url.get_secret_value())
    options = {
        name: value for name, value in url["options"].items() if name.lower().startswith(("auth", "tls", "ssl"))
    }
    if url["username"] is not None:
        options |= {"username": url["username"], "password": url["password"]}
        options.setdefault("authsource", url["database"] or "admin")
    return options | {
        "directConnection": True,
        "serverSelectionTimeoutMS": _PROBE_MS,
        "connectTimeoutMS": _PROBE_MS,
        "socketTimeoutMS": _PROBE_MS,
    }
