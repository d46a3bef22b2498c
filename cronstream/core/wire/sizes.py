r"""How large what goes in a message may be, and how a text is shortened that would be larger.

Kafka's own limit for a message is 1,048,588 bytes (``message.max.bytes``), with key, headers and
frame. In JSON a character takes up to six bytes (``\u0001``), so it is the encoded size that
counts, never the number of characters.
"""

from typing import Final

import orjson

#: One record of any kind: a larger one is made smaller, or refused, before it is sent.
MAX_RECORD_BYTES: Final = 1_000_000
#: A run as it begins, which says more with each attempt: there is room for 20 of them with notes of
#: `MAX_NOTE` characters, and for a reason why it was discarded.
MAX_RUN_BYTES: Final = 900_000
#: A job's definition; its runs have times and numbers besides.
MAX_JOB_BYTES: Final = MAX_RUN_BYTES - 2_000
#: What is kept of the beginning of a command's output, and as much of its end, as JSON.
MAX_OUTPUT_BYTES: Final = 440_000
#: Characters of a sentence about an attempt, of which a run carries 20 along.
MAX_NOTE: Final = 500


def json_bytes(text: str) -> int:
    """Return how many bytes a text takes in a message, without its quotes."""
    return len(orjson.dumps(text)) - 2


def shortened(text: str, most: int = MAX_NOTE) -> str:
    """Return a text of at most `most` characters; if it was longer, its end says so."""
    if len(text) <= most:
        return text
    end = f"… ({len(text):,} characters)"
    return text[: most - len(end)] + end
