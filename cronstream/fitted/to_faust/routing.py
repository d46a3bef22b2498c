"""Finds the process whose Faust table has a row, for ``/table/<name>/<key>/``."""

from typing import Any

from faust.app.router import Router
from faust.types import TP
from yarl import URL

from cronstream.topology.publish import partition_of


class JobRouter(Router):
    """Finds the process that has a table's row: by the job's name, as the producer does."""

    def key_store(self, table_name: str, key: Any) -> URL:
        """Return the address of the process whose table has the key."""
        table = self._get_table(table_name)
        topic = self._get_table_topic(table)
        partition = self._partition(table_name, str(key), table.partitions or 1)
        assignor: Any = self._assignor
        return URL(assignor._tps_url[TP(topic, partition)])

    @staticmethod
    def _partition(table_name: str, key: str, partitions: int) -> int:
        if table_name in ("ledgers", "cursors"):
            return int(key) if key.isdigit() else 0
        return partition_of(key.partition("@")[0], partitions)
