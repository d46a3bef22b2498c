"""What every message is: a record with typed fields, which Faust describes.

This is the only module of the core that knows Faust.
"""

from typing import TYPE_CHECKING, Any, Self, dataclass_transform

if TYPE_CHECKING:

    @dataclass_transform()
    class Record:
        """What type checkers see: ``faust.Record`` gives them a base of type Any."""

        def __init_subclass__(
            cls, *, namespace: str = "", abstract: bool = False, **more: Any
        ) -> None: ...
        @property
        def unknown(self) -> dict[str, Any]:
            """Fields that came with it and mean nothing at its level; they are passed on."""

        def derive(self, **fields: Any) -> Self:
            """Return a copy with some fields changed."""

        def asdict(self) -> dict[str, Any]:
            """Return the fields by name."""

else:
    import faust

    class Record(faust.Record, abstract=True, serializer="json", isodates=True):
        """A typed message; see `cronstream.core.wire.codec` for its form and its checks.

        Faust describes the fields, and compares records. But its constructor and its descriptors
        run Python code for each field, and a fold makes several records of each message: so here
        fields are plain attributes, and one that was not given has the default of its class. Nor
        is that code written and compiled whenever a process starts, which took as long again.
        """

        def __init_subclass__(cls, **options: Any) -> None:
            super().__init_subclass__(**options)
            cls._required = frozenset(cls._options.fields) - frozenset(cls._options.defaults)
            for name, default in cls._options.defaults.items():
                setattr(cls, name, default)

        # Faust asks these for what it puts into each class.
        _contribute_field_descriptors = classmethod(lambda *_: {})
        _BUILD_init = classmethod(lambda cls: cls._set_fields)
        _BUILD_asdict = classmethod(lambda cls: cls._by_name)

        def _set_fields(self, *values: Any, **fields: Any) -> None:
            if values:
                fields.update(zip(self._options.fields, values, strict=False))
            known = self._options.fieldset
            if not self._required <= fields.keys() <= known:
                lacking, others = self._required - fields.keys(), fields.keys() - known
                wrong = sorted(lacking or others)
                raise TypeError(f"{type(self).__name__} lacks fields, or has others: {wrong}")
            vars(self).update(fields)
            self.__post_init__()

        def __post_init__(self) -> None:
            """Check the values together."""

        def _by_name(self) -> dict[str, Any]:
            return {name: getattr(self, name) for name in self._options.fields}

        def derive(self, **fields: Any) -> Self:
            """Return a copy with some fields changed."""
            known = self._options.fieldset
            given = {name: value for name, value in vars(self).items() if name in known}
            derived = type(self)(**{**given, **fields})
            if "unknown" in vars(self):
                vars(derived)["unknown"] = self.unknown
            return derived
