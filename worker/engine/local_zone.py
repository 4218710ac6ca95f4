"""The time zone of this machine, with its changes to summer time and back."""

from datetime import UTC, datetime, timedelta, tzinfo


class LocalZone(tzinfo):
    """The zone that `TZ` or `/etc/localtime` names. `datetime.astimezone` alone gives its offset of one instant."""

    def fromutc(self, dt: datetime) -> datetime:
        """Return the local time of an instant in UTC."""
        offset = dt.replace(tzinfo=UTC).astimezone().utcoffset() or timedelta()
        local = dt + offset
        return local if self.utcoffset(local) == offset else local.replace(fold=1)

    def utcoffset(self, dt: datetime | None) -> timedelta | None:
        """Return how far the wall clock that shows `dt` is ahead of UTC."""
        return None if dt is None else dt.replace(tzinfo=None).astimezone().utcoffset()

    def dst(self, dt: datetime | None) -> timedelta | None:  # noqa: ARG002 - `tzinfo` has it
        """Return `None`: what part of the offset is summer time is not known."""
        return None

    def tzname(self, dt: datetime | None) -> str | None:
        """Return the abbreviation of the zone at `dt`."""
        return None if dt is None else dt.replace(tzinfo=None).astimezone().tzname()
