"""Which jobs follow which: what a crontab says of it, and how that is shown."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeAlias

from cronstream.core.wire.codec import to_json
from cronstream.core.wire.enumerations import Ending
from cronstream.core.wire.runs import Then

#: After which verdicts which jobs follow, by their names.
Names: TypeAlias = tuple[tuple[Ending, str], ...]

_EXAMPLE: Final = "write a job's name, a list of them, or {discarded: NAME}"


def names_of(value: Any) -> Names:
    """Return what `then` says: one job or several after a success, or by verdict.

    Raises:
        ValueError: If it says anything else; the sentence says what to write.
    """
    said = value if isinstance(value, dict) else {Ending.SUCCEEDED.value: value}
    found: list[tuple[Ending, str]] = []
    for on, names in said.items():
        if on not in list(Ending):
            raise ValueError(f"knows no {on!r}; there are {', '.join(Ending)}")
        several = [names] if isinstance(names, str) else names
        if not isinstance(several, list) or not all(isinstance(name, str) for name in several):
            raise ValueError(f"does not say which job follows; {_EXAMPLE}")
        found += [(Ending(on), name) for name in several]
    for name, times in Counter(name for _, name in found).items():
        if times > 1:
            raise ValueError(f"names {name!r} twice; a job follows once, after 'settled' if always")
    return tuple(found)


def mentioned(value: Any) -> set[str]:
    """Return the names in what `then` says, right or wrong."""
    found = value.values() if isinstance(value, dict) else [value]
    several = [each for one in found for each in (one if isinstance(one, list) else [one])]
    return {name for name in several if isinstance(name, str)}


def fingerprint(then: Sequence[Then]) -> str:
    """Return what tells two definitions of what follows apart, where their names are the same."""
    text = repr([to_json(one) for one in then])
    return hashlib.blake2b(text.encode(), digest_size=2).hexdigest()


def shown(then: Sequence[Then] | None) -> Iterator[str]:
    """Yield what follows a job in words, each with its verdict."""
    for one in then or ():
        more = ", ".join(shown(one.job.then))
        yield f"{one.on} {one.job.name}" + (f" ({more})" if more else "")
