"""A number over time: its highest value, also in each step of time, and the area below it."""


class Gauge:
    """A whole number from 0 on that is set now and then; times are seconds since the epoch.

    A value that it has for no time at all does not count.

    Attributes:
        value: What it is.
        most: The highest value within the span.
        most_at: When it first was that high; the beginning if it was always 0.
        total: The area below it within the span: value times seconds.
        highest: For each step its highest value.
    """

    __slots__ = ("_begin", "_end", "_last", "_step", "highest", "most", "most_at", "total", "value")

    def __init__(self, begin: float, end: float, step_s: float) -> None:
        self.value = self.most = 0
        self.most_at, self.total = begin, 0.0
        self._begin, self._end, self._step, self._last = begin, end, step_s, begin
        self.highest = [0] * max(1, -int(-(end - begin) // step_s))

    def set(self, at: float, value: int) -> None:
        """Set it to another value at a time, which is never before the last."""
        if at > self._last:
            self._pass(at)
        self.value = value

    def close(self) -> None:
        """Let time pass up to the end of the span."""
        self._pass(self._end)

    def _pass(self, at: float) -> None:
        value, last, at = self.value, self._last, min(at, self._end)
        self._last = at
        if not value or at <= last:
            return
        self.total += value * (at - last)
        if value > self.most:
            self.most, self.most_at = value, last
        first, end = (last - self._begin) // self._step, -(-(at - self._begin) // self._step)
        for step in range(int(first), int(end)):
            self.highest[step] = max(self.highest[step], value)
