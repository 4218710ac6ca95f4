"""A private MongoDB: a replica set of one or three members, or a standalone."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pymongo.errors import OperationFailure, PyMongoError

from worker.embedded.errors import EmbeddedServerError
from worker.embedded.folders import DataFolder
from worker.embedded.lifetime import StartedInWith
from worker.embedded.mongo_member import REPLICA_SET, MongoMember
from worker.embedded.processes import together, wait_until

_NOT_YET_INITIALIZED, _ALREADY_INITIALIZED = 94, 23
_HEARTBEAT_MS = 500


class EmbeddedMongo(StartedInWith):
    """A private MongoDB.

    `data_dir` is kept, so that a later run can use its data; without it the data is in a temporary
    folder until `stop`. `election_timeout_ms` is how long the members of a set wait for a primary that
    does not answer. `test_commands` allows `failCommand`. `standalone` starts one mongod without a
    replica set, on which transactions cannot work.
    """

    def __init__(
        self,
        *,
        data_dir: Path | None = None,
        members: Literal[1, 3] = 1,
        standalone: bool = False,
        test_commands: bool = False,
        election_timeout_ms: int = 2_000,
        start_timeout: float = 60.0,
    ) -> None:
        if standalone and members != 1:
            raise EmbeddedServerError(f"a standalone mongod is one member, not {members}")
        self._data = DataFolder(data_dir)
        self._standalone = standalone
        self._election_timeout_ms = election_timeout_ms
        self._start_timeout = start_timeout
        self.members = tuple(
            MongoMember(
                index,
                self._data,
                standalone=standalone,
                test_commands=test_commands,
                start_timeout=start_timeout,
            )
            for index in range(members)
        )

    @property
    def pid(self) -> int:
        """The process id of the first member."""
        return self.members[0].pid

    @property
    def port(self) -> int:
        """The port of the first member."""
        return self.members[0].port

    @property
    def url(self) -> str:
        """The address of all members, with the replica set's name."""
        hosts = ",".join(member.address for member in self.members)
        return f"mongodb://{hosts}/" + ("" if self._standalone else f"?replicaSet={REPLICA_SET}")

    async def start(self) -> None:
        """Start the members that are not running, and wait until the set has a writable primary.

        Raises EmbeddedServerError, with the end of a server's log, if that fails.
        """
        try:
            kept = [member.keep_port() for member in self.members]
            if not self._standalone and not all(kept):
                await self._change_addresses()
            await together(*(member.start() for member in self.members if not member.running))
            if not self._standalone:
                await self._configure()
        except PyMongoError as error:
            logs = self._log_tails()
            raise EmbeddedServerError(
                f"the private replica set could not be configured: {error}\n{logs}"
            ) from error
        await self.ready()

    async def ready(self) -> None:
        """Wait until one running member is a writable primary and the others are its secondaries."""

        async def has_primary_and_secondaries() -> bool:
            states = await self._states()
            primaries = sum(bool(state and state["isWritablePrimary"]) for _, state in states)
            return primaries == 1 and all(
                state and (state["isWritablePrimary"] or state.get("secondary"))
                for member, state in states
                if member.running
            )

        await wait_until(has_primary_and_secondaries, seconds=self._start_timeout, failure=self._not_ready)

    async def primary(self, *, timeout: float = 30.0) -> MongoMember:
        """Wait up to `timeout` seconds for a writable primary, and return that member."""

        async def elected() -> MongoMember | None:
            # A former primary that has not noticed the election yet has the smaller election id.
            writable = {
                str(state.get("electionId")): member
                for member, state in await self._states()
                if state and state["isWritablePrimary"]
            }
            return writable[max(writable)] if writable else None

        return await wait_until(elected, seconds=timeout, failure=self._not_ready)

    async def stop(self) -> None:
        """Stop all members cleanly and remove their data if it is temporary."""
        await together(*(member.stop() for member in self.members))
        self._data.discard()

    async def kill(self) -> None:
        """SIGKILL all members; their data is kept for the next start."""
        await together(*(member.kill() for member in self.members))

    async def restart(self) -> None:
        """Stop all members cleanly and start them again on the same data and ports."""
        await together(*(member.stop() for member in self.members))
        await self.start()

    def freeze(self) -> None:
        """SIGSTOP all members."""
        for member in self.members:
            member.freeze()

    def thaw(self) -> None:
        """SIGCONT all members after `freeze`."""
        for member in self.members:
            member.thaw()

    async def _configure(self) -> None:
        """Initiate the set, or check that the stored set of an earlier run has the requested members."""
        first = self.members[0]
        addresses = [member.address for member in self.members]

        async def stored() -> Mapping[str, Any] | None:
            try:
                answer = await first.command("replSetGetConfig")
            except OperationFailure as error:
                if error.code != _NOT_YET_INITIALIZED:
                    raise
                await self._initiate(addresses)
                return None
            config: Mapping[str, Any] = answer["config"]
            return config

        config = await wait_until(stored, seconds=self._start_timeout, failure=self._not_ready)
        if [member["host"] for member in config["members"]] != addresses:
            raise EmbeddedServerError(
                f"the data folder contains a replica set of {len(config['members'])} member(s) at other "
                f"addresses, but {len(addresses)} are requested: start as many as before, or use another folder"
            )

    async def _change_addresses(self) -> None:
        """Change the addresses in the stored set, because another process uses a port of the earlier run.

        A mongod that starts as a member contacts its old address to identify itself, and waits for an answer
        from the process that listens there now. So the addresses are changed before the members start as a set.
        """
        await together(*(member.start_alone() for member in self.members))
        addresses = [member.address for member in self.members]
        await together(*(member.rewrite_addresses(addresses) for member in self.members))
        await together(*(member.stop() for member in self.members))

    async def _initiate(self, addresses: list[str]) -> None:
        config = {
            "_id": REPLICA_SET,
            "members": [{"_id": index, "host": address} for index, address in enumerate(addresses)],
            "settings": {
                "electionTimeoutMillis": self._election_timeout_ms,
                "heartbeatIntervalMillis": min(_HEARTBEAT_MS, self._election_timeout_ms // 2),
            },
        }
        try:
            await self.members[0].command("replSetInitiate", config)
        except OperationFailure as error:
            # While a member is still loading its configuration, it reports that it has none.
            if error.code != _ALREADY_INITIALIZED:
                raise

    async def _states(self) -> list[tuple[MongoMember, Mapping[str, Any] | None]]:
        states = await asyncio.gather(*(member.hello() for member in self.members))
        return list(zip(self.members, states, strict=True))

    def _not_ready(self) -> str:
        return f"the private MongoDB has no primary, or a member is not in sync with it\n{self._log_tails()}"

    def _log_tails(self) -> str:
        return "\n".join(f"member {member.index}: {member.log_tail()}" for member in self.members)
