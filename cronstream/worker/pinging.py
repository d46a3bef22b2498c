"""Has monitors hear of the attempts that a worker makes."""

from cronstream.core.protocol.holder import Holding
from cronstream.core.protocol.member import Member
from cronstream.core.wire.entries import Finished
from cronstream.notices import pings
from cronstream.notices.outpost import Outpost


class Pinging:
    """Puts what monitors are to hear into the outpost, which keeps nobody waiting."""

    def __init__(self, member: Member, outpost: Outpost) -> None:
        self._member, self._outpost = member, outpost

    def started(self, held: Holding | None) -> None:
        """A command has been started."""
        if held is not None and held.run.ping is not None:
            self._outpost.put(pings.of_start(held.run))

    def ended(self, held: Holding | None, end: Finished) -> None:
        """An attempt has ended; what was cancelled has neither succeeded nor failed."""
        if held is None or held.orphaned or held.run.ping is None:
            return
        ledger = self._member.ledgers.get(held.partition)
        live = None if ledger is None else ledger.book.live.get(end.run)
        if live is None or not live.cancelled:
            self._outpost.put(pings.of_end(held.run, end))
