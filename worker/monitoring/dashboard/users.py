"""Who may use the page: names, roles and hashed passwords, from `DASHBOARD_USERS`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast, get_args

from worker.errors import ConfigurationError
from worker.monitoring.dashboard.passwords import hash_password, is_hash, matches

Role = Literal["viewer", "operator", "auditor"]
"""A viewer sees everything but payloads and messages of errors, an auditor these too, and an operator also acts."""

_NAME = re.compile(r"[A-Za-z0-9._@-]{1,100}")


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may log in."""

    name: str
    role: Role
    password_hash: str

    @property
    def acts(self) -> bool:
        """Whether this user may change something."""
        return self.role == "operator"

    @property
    def sees_payloads(self) -> bool:
        """Whether this user sees payloads, and the messages of errors, which can repeat them."""
        return self.role in ("operator", "auditor")


class Users:
    """All users. Raises `ConfigurationError`, without any hash in it, if there are none or one is invalid."""

    def __init__(self, setting: str) -> None:
        self._users: Mapping[str, User] = _read(setting)
        # Compared with when a name is unknown, so that the time of an answer does not say which names are known.
        self._nobody = hash_password("")

    def find(self, name: str, password: str) -> User | None:
        """Return the user of this name if the password is right. Blocks for about a tenth of a second."""
        user = self._users.get(name)
        is_right = matches(password, user.password_hash if user else self._nobody)
        return user if is_right else None


def _read(setting: str) -> dict[str, User]:
    users: dict[str, User] = {}
    for position, entry in enumerate((part.strip() for part in setting.split(",") if part.strip()), start=1):
        name, role, password_hash = (*entry.split(":"), "", "", "")[:3]
        if not _NAME.fullmatch(name) or role not in get_args(Role) or not is_hash(password_hash) or name in users:
            raise ConfigurationError(
                f"DASHBOARD_USERS: entry {position}: expected different NAME:ROLE:HASH, ROLE one of "
                f"{', '.join(get_args(Role))}, HASH as hospital-worker dashboard hash-password prints it"
            )
        users[name] = User(name, cast(Role, role), password_hash)
    if not users:
        raise ConfigurationError(
            "DASHBOARD_USERS: no user; the page does not run without a log-in. Run hospital-worker dashboard "
            "hash-password, then set DASHBOARD_USERS=NAME:operator:HASH"
        )
    return users
