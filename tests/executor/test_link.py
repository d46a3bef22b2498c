"""The executor's end of the socket pair, when the other end is gone."""

import select
import socket

from cronstream.executor.link import Link
from cronstream.executor.protocol import Cancelled


def test_a_link_whose_end_is_known_is_not_waited_for_any_more() -> None:
    ours, theirs = socket.socketpair()
    link = Link(theirs)
    assert link.wanted() == select.EPOLLIN
    ours.shutdown(socket.SHUT_WR)
    link.receive()
    assert link.wanted() == 0
    ours.close()
    link.report(Cancelled("a#1"))
    link.flush()
    assert (link.is_at_eof, link.is_deaf, link.wanted()) == (True, True, None)
    link.close()
