"""A log line for each change of a run's state: from the owner whose it is to note.

Which worker that is says `cronstream.worker.tenure`.
"""

import logging
from typing import Final

from cronstream.core.ledger.state import News, SkipNews
from cronstream.core.wire.entries import Entry, Finished
from cronstream.core.wire.times import format_time
from cronstream.logs import Fields, fields

logger = logging.getLogger("cronstream.worker.folding")

#: The end of an attempt from which something follows, a verdict or another attempt, comes next.
#: Its start may stand in the same message.
_BEFORE_AN_END: Final = ("running", "finished")
#: Of so many attempts that have ended it is known, until the verdict, how long they took.
_TAKEN: Final = 10_000


class RunLines:
    """Says what becomes of the runs of each partition that this worker owns."""

    def __init__(self) -> None:
        self._took: dict[str, float] = {}

    def log(
        self, partition: int, offset: int, entries: list[Entry], news: list[News | SkipNews]
    ) -> None:
        """Log what a message has changed."""
        changed = {one.run.id for one in news if isinstance(one, News)}
        for entry in entries:
            if isinstance(entry, Finished) and entry.run in changed:
                self._note_end(entry)
        for one in news:
            self._log(partition, offset, one)

    def _note_end(self, entry: Finished) -> None:
        if entry.started_at is not None:
            while len(self._took) >= _TAKEN:
                del self._took[next(iter(self._took))]
            self._took[entry.run] = (entry.ended_at - entry.started_at).total_seconds()

    def _log(self, partition: int, offset: int, news: News | SkipNews) -> None:
        if isinstance(news, SkipNews):
            _log_skip(partition, offset, news)
            return
        run, level = news.run, logging.DEBUG if news.is_detail else logging.INFO
        about = self._about(news)
        about["partition"], about["offset"] = partition, offset
        logger.log(level, "run %s: %s", run.id, news.text, extra=fields(news.action, **about))
        if news.action not in _BEFORE_AN_END:
            self._took.pop(run.id, None)

    def _about(self, news: News) -> Fields:
        run = news.run
        about = Fields(job=run.job, run=run.id, cluster=run.cluster, attempt=run.attempt)
        if news.reason:
            about["reason"] = news.reason
        ended = run.attempts[-1] if run.attempts else None
        is_of_retries = news.is_detail and news.is_end
        if ended is None or ended.attempt != run.attempt or is_of_retries:
            return about
        about["outcome"] = ended.outcome.value
        if ended.worker is not None:
            about["worker"] = ended.worker
        if run.id in self._took:
            about["seconds"] = round(self._took[run.id], 3)
        return about


def _log_skip(partition: int, offset: int, news: SkipNews) -> None:
    span = format_time(news.from_at)
    if news.count > 1:
        span = f"{span} to {format_time(news.to_at)}, {news.count} due times"
    about = fields(
        "skipped", job=news.job, partition=partition, offset=offset, reason=news.reason.value
    )
    logger.info("job %s: %s: skipped (%s)", news.job, span, news.reason.value, extra=about)
