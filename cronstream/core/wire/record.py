"""What every message is: a record with typed fields.

Where Faust is loaded, which commands can do without, records are Faust's: see
`cronstream.fitted.to_faust.records`.
"""

from collections.abc import Callable
from operator import attrgetter
from types import NoneType
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Generic,
    Self,
    TypeVar,
    dataclass_transform,
    get_args,
)

T = TypeVar("T")


class WorkedOut(Generic[T]):
    """What a record says by some of its fields: worked out once, for it and its like.

    `functools.cached_property` takes a lock each time (Python 3.11), which takes longer.

    Args:
        work: Works it out.
        of: The fields by which it does.
    """

    def __init__(self, work: Callable[[Any], T], *of: str) -> None:
        self.of, self._work = frozenset(of), work

    def __set_name__(self, _: object, name: str) -> None:
        self.name = name

    def __get__(self, record: Any, _: object = None) -> T:
        """Work it out; from then on it is an attribute of the record."""
        found = vars(record)[self.name] = self._work(record)
        return found


if TYPE_CHECKING:

    @dataclass_transform()
    class Record:
        """What type checkers see: fields as they are declared, and a constructor of them."""

        #: The type of each field, by its name, in order.
        fields: ClassVar[dict[str, Any]]
        #: The default of each field that has one.
        defaults: ClassVar[dict[str, Any]]
        #: What it is called in messages.
        namespace: ClassVar[str]

        def __init_subclass__(cls, *, namespace: str = "") -> None: ...
        @property
        def unknown(self) -> dict[str, Any]:
            """Fields that came with it and mean nothing at its level; they are passed on."""

        @classmethod
        def of(cls, fields: dict[str, Any]) -> Self:
            """Return a record of fields that are known to be its own, and complete."""

        def derive(self, **fields: Any) -> Self:
            """Return a copy with some fields changed."""

        def asdict(self) -> dict[str, Any]:
            """Return the fields by name."""

else:

    class _Plain:
        """Stands where `faust.Record` does once Faust is there."""

    class Record(_Plain):
        """A typed message; see `cronstream.core.wire.codec` for its form and its checks.

        A fold makes several records of each message: so fields are plain attributes, and one that
        was not given has the default of its class.
        """

        def __init_subclass__(cls, *, namespace: str = "") -> None:
            cls.namespace = namespace
            cls.fields = dict(cls.__annotations__)
            cls.defaults = {name: vars(cls)[name] for name in cls.fields if name in vars(cls)}
            for name, hint in cls.fields.items():
                if NoneType in get_args(hint) and name not in cls.defaults:
                    cls.defaults[name] = None
                    setattr(cls, name, None)
            cls._known = frozenset(cls.fields)
            cls._required = cls._known - frozenset(cls.defaults)
            cls._values = staticmethod(attrgetter("__class__", *cls.fields))
            cls._worked_out = [one for one in vars(cls).values() if isinstance(one, WorkedOut)]

        def __init__(self, *values: Any, **fields: Any) -> None:
            if values:
                fields.update(zip(self.fields, values, strict=False))
            if not self._required <= fields.keys() <= self._known:
                lacking, others = self._required - fields.keys(), fields.keys() - self._known
                wrong = sorted(lacking or others)
                raise TypeError(f"{type(self).__name__} lacks fields, or has others: {wrong}")
            self.__dict__ = fields
            self.__post_init__()

        def __post_init__(self) -> None:
            """Check the values together."""

        def __eq__(self, other: object) -> bool:
            if type(other) is not type(self):
                return NotImplemented
            return self._values(self) == self._values(other)

        def __hash__(self) -> int:
            return hash(self._values(self))

        def __repr__(self) -> str:
            told = {**vars(self), **{n: v for n, v in self.defaults.items() if n not in vars(self)}}
            return f"<{type(self).__name__}: {', '.join(f'{n}={v!r}' for n, v in told.items())}>"

        def asdict(self) -> dict[str, Any]:
            """Return the fields by name."""
            return {name: getattr(self, name) for name in self.fields}

        @classmethod
        def of(cls, fields: dict[str, Any]) -> Self:
            """Return a record of fields that are known to be its own, and complete."""
            made = object.__new__(cls)
            made.__dict__ = fields
            made.__post_init__()
            return made

        def derive(self, **fields: Any) -> Self:
            """Return a copy with some fields changed."""
            if not self._known.issuperset(fields):
                return type(self)(**{**self.asdict(), **fields})  # It says which are wrong.
            values = {**vars(self), **fields}
            values.pop("v", None)
            for one in self._worked_out:
                if not one.of.isdisjoint(fields):
                    values.pop(one.name, None)
            return self.of(values)
