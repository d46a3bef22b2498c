"""Has aiokafka ask who leads a partition when a broker says that it does not.

aiokafka (0.14) sets a position that was never committed by a question to the partition's leader. If
that broker leads no more, the question is put to it again, ten times a second, until all that is
known of leaders is five minutes old; and nothing is fetched from that broker meanwhile, whatever it
leads (``Fetcher._update_fetch_positions``, ``Fetcher._get_actions_per_node``). Faust's consumers
have such a position: nothing is ever committed of their leader topic. So a scheduler that stood by
while a broker died heard none of its ticks once it had taken over (seen in chaos).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka.consumer.fetcher import Fetcher
from aiokafka.errors import KafkaError

_FETCHER: Any = Fetcher  # there is no public way in
_ask = _FETCHER._proc_offset_request


async def _ask_and_learn(
    fetcher: Any, node_id: int, topics: Mapping[str, Sequence[tuple[int, int]]]
) -> Any:
    """Put the question; if that broker is the wrong one, find out which is right.

    Raises:
        KafkaError: If there is no answer.
    """
    try:
        return await _ask(fetcher, node_id, topics)
    except KafkaError as error:
        if error.invalid_metadata:
            fetcher._client.force_metadata_update()
        raise


def ask_for_lost_leaders() -> None:
    """Mend all consumers of this process, those to come and those that are there."""
    _FETCHER._proc_offset_request = _ask_and_learn
