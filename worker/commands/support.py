"""Shared by all subcommands: settings, a Redis connection, and one-line messages for known errors."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

from redis.asyncio import Redis
from rich.table import Table
from rich.text import Text

from worker.console import ResultConsole
from worker.errors import RegistryError
from worker.failing import fail
from worker.queue.key_types import refuse_foreign_keys
from worker.redis.client import address, open_redis
from worker.redis.errors import REDIS_ERRORS, is_wrong_type, translate
from worker.redis.startup import check_redis
from worker.settings import Settings, load_settings

T = TypeVar("T")


_WIDTH = 80


def console() -> ResultConsole:
    """Return a console for results. It writes plain text if the output is not a terminal."""
    return ResultConsole(soft_wrap=True)


def print_facts(facts: Mapping[str, str]) -> None:
    """Print names and texts, which are escaped, as two columns, within 80 characters; empty texts are left out."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(no_wrap=True)
    # An id without blanks may be longer than a line.
    table.add_column(overflow="fold")
    for name, text in facts.items():
        if text:
            table.add_row(name, Text(text))
    out = console()
    out.print(table, soft_wrap=False, width=min(out.width, _WIDTH))


def shown_text(argument: str) -> str:
    """Return an argument of the command line as text: bytes of it that are not UTF-8 are escaped."""
    return argument.encode(errors="surrogateescape").decode(errors="backslashreplace")


def run(command: Callable[[], Awaitable[T]]) -> T:
    """Run an asynchronous subcommand. An error of this service exits with one line instead of a traceback."""

    async def main() -> T:
        return await command()

    try:
        return asyncio.run(main())
    except RegistryError as error:
        fail(str(error))
    except BrokenPipeError:
        # Whoever read the output has ended: see `worker.closed_pipe`.
        raise
    except OSError as error:
        fail(f"{error.filename or 'a file'}: {error.strerror or type(error).__name__}")
    except KeyboardInterrupt:
        raise SystemExit(130) from None


@asynccontextmanager
async def queue_connection() -> AsyncIterator[tuple["Redis[bytes]", Settings]]:
    """Yield a checked connection to the queue. Raises `ConfigurationError` or `OutageError`."""
    settings = load_settings()
    redis = open_redis(settings)
    try:
        await check_redis(redis, settings)
        yield redis, settings
    except REDIS_ERRORS as error:
        if is_wrong_type(error):
            with suppress(*REDIS_ERRORS):
                await refuse_foreign_keys(redis, tuple(settings.worker_queues))
        raise translate(error, address(settings)) from None
    finally:
        await redis.aclose(close_connection_pool=True)
