"""What came of one try to send a notice."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a try.

    Attributes:
        why: Why it was not taken; empty if it was. It has nothing of the address but the host.
        is_final: Whether the same would not be taken later either.
        after_s: When the server wants to be asked again, if it says so.
    """

    why: str = ""
    is_final: bool = True
    after_s: float = 0.0
