"""The executor's end of the socket pair: orders in, reports out, and never a wait."""

import select
import socket

from cronstream.executor.protocol import Down, Lines, Up, decode_order, encode

_CHUNK = 1 << 18
#: Seconds that a worker gets to take the last reports when the executor ends.
_FAREWELL_S = 1.0


class Link:
    """Reports are gathered and written in one go; what a stopped worker does not take, waits.

    Attributes:
        is_at_eof: The worker is gone, or wants this executor to end.
        is_deaf: Nobody reads what is written any more.
    """

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._socket = sock
        self._lines = Lines()
        self._gathered: list[Up] = []
        self._unsent = bytearray()
        self.is_deaf = False
        self.is_at_eof = False

    def fileno(self) -> int:
        """Return what to poll."""
        return self._socket.fileno()

    def wanted(self) -> int | None:
        """Return the events of ``epoll`` to wait for; None for not even its end, which is known."""
        if self.is_deaf:
            return None
        reading = 0 if self.is_at_eof else select.EPOLLIN
        return reading | (select.EPOLLOUT if self._unsent else 0)

    def receive(self) -> list[Down]:
        """Return the orders that have come; none if there is nothing to read.

        Raises:
            ValueError: If a line is no order: the worker is not of this version.
        """
        try:
            data = self._socket.recv(_CHUNK)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        if not data:
            self.is_at_eof = True
        return [decode_order(line) for line in self._lines.feed(data)]

    def report(self, report: Up) -> None:
        """Have ``report`` written with the others of this turn."""
        self._gathered.append(report)

    def is_clogged(self, limit: int) -> bool:
        """Whether so many bytes wait for the worker to take them."""
        return len(self._unsent) > limit

    @property
    def has_gathered(self) -> bool:
        """Whether there are reports that have not been written."""
        return bool(self._gathered)

    def flush(self) -> None:
        """Write what has gathered, as far as the worker takes it now."""
        if self._gathered:
            self._unsent += encode(self._gathered)
            self._gathered.clear()
        if not self._unsent or self.is_deaf:
            self._unsent.clear()
            return
        try:
            del self._unsent[: self._socket.send(self._unsent)]
        except BlockingIOError:
            return
        except OSError:
            self.hang_up()

    def hang_up(self) -> None:
        """Take note that nobody reads what is written any more."""
        self.is_at_eof = self.is_deaf = True
        self._unsent.clear()

    def close(self) -> None:
        """Write the rest, if the worker takes it within a second, and close."""
        self.flush()
        try:
            self._socket.settimeout(_FAREWELL_S)
            self._socket.sendall(self._unsent)
        except OSError:
            self._unsent.clear()
        finally:
            self._socket.close()
