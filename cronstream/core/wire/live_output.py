"""What stands on a cluster's ``output`` topic: that somebody follows a run, and what it writes.

Nothing of it is on a ledger, and nothing follows from it but that output is shown: it may be lost,
doubled, or made up by whoever may write there, and harms nobody.
"""

from typing import Annotated, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

#: Between two times that somebody says that he follows.
EVERY_S: Final = 10.0
#: So long after that was heard last output is no longer shown.
SHOWN_S: Final = 30.0
#: Characters of output in one message: as JSON they take six times as many bytes at most.
MOST_TEXT: Final = 30_000
#: A message that is larger is nobody's.
_MOST_BYTES: Final = 300_000
#: The header of a message by which somebody follows: workers look no further at others.
FOLLOWS: Final = ("kind", "follow")

_RunId = Annotated[str, Field(min_length=1, max_length=500)]
_Name = Annotated[str, Field(min_length=1, max_length=300)]
_Count = Annotated[int, Field(ge=0, lt=1 << 53)]


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Follow(_Said):
    """Somebody looks at what a run writes, for some seconds from now.

    Attributes:
        follower: Tells those who follow apart: each is shown what was written before he came.
    """

    kind: Literal["follow"] = "follow"
    run: _RunId
    follower: _Name


class Written(_Said):
    """What an attempt has written, without secrets.

    Attributes:
        worker: Who makes the attempt.
        number: Of this message, of those about this attempt; they are in order, from 1.
        text: The next of what was written.
        left_out: Bytes behind it that are not here.
        so_far: 0 for what was just written; else, counted from 1, a part of what is kept of all
            that was written before: for who has come only now.
        is_end: Whether the attempt writes no more.
    """

    kind: Literal["written"] = "written"
    run: _RunId
    attempt: Annotated[int, Field(ge=1, lt=1 << 31)]
    worker: _Name
    number: _Count
    text: Annotated[str, Field(max_length=MOST_TEXT)] = ""
    left_out: _Count = 0
    so_far: _Count = 0
    is_end: bool = False


_Any: TypeAlias = Annotated[Follow | Written, Field(discriminator="kind")]
_adapter: Final[TypeAdapter[Follow | Written]] = TypeAdapter(_Any)


def encode(said: Follow | Written) -> bytes:
    """Return the bytes of a message."""
    return said.model_dump_json(exclude_defaults=False).encode()


def decode(raw: bytes | None) -> Follow | Written | None:
    """Return what a message says; None if it is of no kind that is known here, or is too much."""
    if raw is None or len(raw) > _MOST_BYTES:
        return None
    try:
        return _adapter.validate_json(raw)
    except ValidationError:
        return None
