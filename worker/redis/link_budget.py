"""How much one call to Redis may carry, learned from the calls before it."""


class LinkBudget:
    """The largest size of a call that the link carries within a socket's timeout, in bytes or in any other unit.

    It begins at `first` and stays between `least` and `most`. A call that was slow, or whose answer was lost,
    halves it; a call that used most of it and took little time doubles it. So it settles where a call takes between
    a quarter and half of `timeout_s`, without a call that fails.
    """

    def __init__(self, *, first: int, least: int, most: int, timeout_s: float) -> None:
        self._least, self._most = least, most
        self._quick_s, self._slow_s = timeout_s / 4, timeout_s / 2
        self.size = first

    @property
    def is_least(self) -> bool:
        """Whether it cannot become smaller."""
        return self.size == self._least

    def carried(self, size: int, seconds: float) -> None:
        """Note a call of this size that succeeded after so many seconds."""
        # A smaller call says nothing about what a full one would take.
        if size * 2 < self.size:
            return
        if seconds > self._slow_s:
            self.halve()
        elif seconds < self._quick_s:
            self.size = min(self._most, self.size * 2)

    def halve(self) -> None:
        """Note a call whose answer did not arrive."""
        self.size = max(self._least, self.size // 2)
