"""A TCP proxy that breaks connections (on a pattern of bytes, at random, or all at once), moves, or is slow."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self

Sender = Literal["client", "server"]
Action = Literal["cut_before", "cut_after"] | Callable[[], Awaitable[None]]

_CHUNK = 65_536
_LONGEST_PATTERN = 256


@dataclass
class _Rule:
    pattern: bytes
    sent_by: Sender
    action: Action
    times: int


class _Lane:
    """One direction of a link that all connections share; it carries so many bytes per second."""

    def __init__(self, bytes_per_second: float) -> None:
        self._bytes_per_second = bytes_per_second
        self._free_at = 0.0

    async def carry(self, size: int) -> None:
        """Wait as long as it takes until that many bytes have passed."""
        now = asyncio.get_running_loop().time()
        self._free_at = max(self._free_at, now) + size / self._bytes_per_second
        await asyncio.sleep(self._free_at - now)


class Proxy:
    """Forwards connections from a free port on loopback to `host:port`; enter it with `async with`.

    `cuts` counts the connections that were broken.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._server: asyncio.Server | None = None
        self._links: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._rules: list[_Rule] = []
        self._open = asyncio.Event()
        self._open.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._lanes: dict[str, _Lane] = {}
        self.cuts = 0

    @property
    def port(self) -> int:
        """The port to connect to."""
        assert self._server is not None, "enter the proxy first"
        return int(self._server.sockets[0].getsockname()[1])

    def on(self, pattern: bytes, action: Action, *, sent_by: Sender = "client", times: int = 1) -> None:
        """Act on the next `times` messages that contain `pattern`, which has at most 256 bytes.

        `cut_before` breaks the connection and forwards nothing of the message; `cut_after` forwards it and breaks
        the connection before any reply can come back; a callable is awaited before the message is forwarded.
        """
        self._rules.append(_Rule(pattern, sent_by, action, times))

    @property
    def pending(self) -> int:
        """How many more messages will be acted on."""
        return sum(rule.times for rule in self._rules)

    def cut_all(self) -> int:
        """Break every connection; return how many there were."""
        links = list(self._links)
        for link in links:
            self._cut(link)
        return len(links)

    async def cut_at_random(self, rng: random.Random, mean_s: float) -> None:
        """Break one connection after another, `mean_s` apart on average, until cancelled."""
        while True:
            await asyncio.sleep(rng.expovariate(1 / mean_s))
            if self._links:
                self._cut(rng.choice(sorted(self._links, key=id)))

    def move(self, host: str, port: int) -> None:
        """Forward new connections to another server, like a name that moves; open ones stay where they are."""
        self._target = (host, port)

    def freeze(self) -> None:
        """Forward nothing until `thaw`; connections stay open."""
        self._open.clear()

    def thaw(self) -> None:
        """Forward again, including what has arrived meanwhile."""
        self._open.set()

    def limit(self, bytes_per_second: float) -> None:
        """Carry no more than that in each direction from now on, all connections together."""
        self._lanes = {sent_by: _Lane(bytes_per_second) for sent_by in ("client", "server")}

    def unlimit(self) -> None:
        """Carry what comes as fast as it comes again."""
        self._lanes = {}

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        self.thaw()
        self.cut_all()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server_reader, server_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.close()
            return
        link = (writer, server_writer)
        self._links.add(link)
        for source, sink, sent_by in ((reader, server_writer, "client"), (server_reader, writer, "server")):
            task = asyncio.create_task(self._forward(link, source, sink, sent_by))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _forward(
        self,
        link: tuple[asyncio.StreamWriter, asyncio.StreamWriter],
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        sent_by: str,
    ) -> None:
        tail = b""
        try:
            while data := await source.read(_CHUNK):
                await self._open.wait()
                if lane := self._lanes.get(sent_by):
                    await lane.carry(len(data))
                rule = self._matching(tail, data, sent_by)
                tail = b"" if rule else data[-_LONGEST_PATTERN:]
                if rule is not None and callable(rule.action):
                    await rule.action()
                elif rule is not None and rule.action == "cut_before":
                    self._cut(link)
                    return
                sink.write(data)
                await sink.drain()
                if rule is not None and rule.action == "cut_after":
                    # The message was sent first, so it arrives, but its reply cannot be delivered.
                    self._cut(link)
                    return
        except OSError:
            self._cut(link)
        finally:
            self._links.discard(link)
            for writer in link:
                with suppress(RuntimeError):
                    writer.close()

    def _matching(self, tail: bytes, data: bytes, sent_by: str) -> _Rule | None:
        for rule in self._rules:
            # Find a pattern that is split over two reads, but not again one that ended in the earlier read.
            shared = tail[max(0, len(tail) - len(rule.pattern) + 1) :]
            if rule.sent_by == sent_by and rule.pattern in shared + data:
                rule.times -= 1
                if rule.times == 0:
                    self._rules.remove(rule)
                return rule
        return None

    def _cut(self, link: tuple[asyncio.StreamWriter, asyncio.StreamWriter]) -> None:
        if link not in self._links:
            return
        self._links.discard(link)
        self.cuts += 1
        for writer in link:
            writer.close()
