"""What follows from what a worker's executors report of its attempts."""

import logging
from collections.abc import Iterable

from cronstream import clock
from cronstream.core.protocol.actions import run_and_claim
from cronstream.core.protocol.member import Member
from cronstream.executor import protocol
from cronstream.logs import fields
from cronstream.notices.outpost import Outpost
from cronstream.worker.commands import moment, to_finished
from cronstream.worker.folding import Folding
from cronstream.worker.mishaps import unusable
from cronstream.worker.outputs import Outputs
from cronstream.worker.pinging import Pinging

logger = logging.getLogger(__name__)


class Reports:
    """Hands each report on to whom it concerns: the member, who has it put on the log, and others.

    What commands have written comes before their end.
    """

    def __init__(
        self, member: Member, folding: Folding, outpost: Outpost, outputs: Outputs
    ) -> None:
        self._member, self._folding, self._outputs = member, folding, outputs
        self._pinging = Pinging(member, outpost)

    def heed(self, reports: Iterable[protocol.Report]) -> None:
        """Do what follows; what goes wrong with one run ends that run, and no other."""
        for report in reports:
            try:
                self._count(report)
                self._outputs.reported(report)
                self._receive(report)
            except Exception as error:
                extra = fields("report-unusable", run=report.key.rpartition("#")[0])
                logger.exception(
                    "run %s: its executor's report cannot be used", report.key, extra=extra
                )
                unusable(self._member, report, error, clock.now())

    def _count(self, report: protocol.Report) -> None:
        if isinstance(report, protocol.Started):
            if (held := self._member.holding.get(report.key)) is not None:
                self._folding.counts.started(held.run, moment(report.at))
        elif isinstance(report, protocol.Finished) and report.started_at is not None:
            self._folding.counts.finished(report.ended_at - report.started_at)

    def _receive(self, report: protocol.Report) -> None:
        match report:
            case protocol.Ready(key=key):
                self._member.ready(key)
            case protocol.Started(key=key, at=at, pid=pid):
                self._member.started(key, moment(at), pid)
                self._pinging.started(self._member.holding.get(key))
            case protocol.Finished(key=key):
                held, end = self._member.holding.get(key), to_finished(report, self._member.me)
                self._member.finished(key, end)
                self._pinging.ended(held, end)
            case protocol.Cancelled(key=key):
                self._member.cancelled(key)
            case protocol.Kept(key=key):
                self._member.kept(key)
            case protocol.Hanging(key=key, note=note):
                run, _ = run_and_claim(key)
                logger.warning("run %s: %s", run, note, extra=fields("hanging", run=run))
