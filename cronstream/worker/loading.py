"""Gives a worker the ledger of each partition that it is assigned: its last snapshot's."""

import logging
from collections.abc import Callable

from cronstream.core.ledger.fold import Ledger
from cronstream.errors import LevelError, MessageError
from cronstream.logs import fields
from cronstream.worker.snapshots import Snapshots
from cronstream.worker.tenure import Tenure

logger = logging.getLogger(__name__)


class Loading:
    """Loads ledgers for one worker.

    Attributes:
        level: Of the installation when the process started.

    Args:
        snapshots: What was read of them.
        tenure: Is told from where on a partition is read.
        on_fatal: Is given the reason when one is of a level that is not known here.
        retry: Whether they are of a retry log.
    """

    def __init__(
        self,
        snapshots: Snapshots,
        tenure: Tenure,
        on_fatal: Callable[[str], None],
        *,
        retry: bool,
    ) -> None:
        self._snapshots, self._tenure, self._on_fatal = snapshots, tenure, on_fatal
        self.retry, self.level = retry, 1

    def load(self, partition: int) -> Ledger:
        """Return a partition's ledger, to read on from there."""
        ledger = Ledger(retry=self.retry)
        try:
            ledger = self._snapshots.load(partition, retry=self.retry)
        except LevelError as error:
            ledger.book.closed = error  # Nor written over: nothing is folded, and nothing kept.
            self._on_fatal(f"partition {partition}: {error}")
        except MessageError as error:
            text = "partition %d: %s; its log is folded from the start"
            logger.warning(text, partition, error, extra=fields("row-lost", partition=partition))
        self.begin(partition, ledger)
        return ledger

    def begin(self, partition: int, ledger: Ledger) -> None:
        """Have a partition read on from where its ledger is."""
        ledger.book.assumed = self.level
        self._tenure.loaded(partition, ledger.book.next_offset)
