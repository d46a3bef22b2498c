"""Services of a compose file, with their labels."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ruamel.yaml.comments import CommentedMap

from cronstream.importers.found import Source
from cronstream.importers.yaml_lines import documents, line_of, mapping, text_of


@dataclass(frozen=True, slots=True)
class Service:
    """A service of a compose file.

    Attributes:
        settings: All that the file says of it.
        labels: Line, key and value of each.
    """

    name: str
    settings: Any
    labels: tuple[tuple[int, str, str], ...]

    def said(self, key: str) -> str:
        """Return what stands under a key, as text."""
        return text_of(self.settings.get(key)) if isinstance(self.settings, CommentedMap) else ""

    def label(self, key: str, default: str) -> tuple[str, int | None]:
        """Return a label with its line; what holds without it has none."""
        found: tuple[str, int | None] = (default, None)
        for line, name, value in self.labels:
            if name == key:
                found = (value, line)
        return found


def read_services(source: Source) -> Iterator[Service]:
    """Yield the services of a compose file.

    Raises:
        ForeignError: If it is no YAML.
    """
    for document in documents(source):
        for name, settings in mapping(document, "services").items():
            yield Service(text_of(name), settings, tuple(_labels(settings)))


def _labels(settings: Any) -> list[tuple[int, str, str]]:
    labels = settings.get("labels") if isinstance(settings, CommentedMap) else None
    if isinstance(labels, CommentedMap):
        found = [(line_of(labels, key), text_of(key), text_of(labels[key])) for key in labels]
    elif isinstance(labels, list):
        pairs = [text_of(item).partition("=") for item in labels]
        found = [(line_of(labels, n), key, value) for n, (key, _, value) in enumerate(pairs)]
    else:
        found = []
    return [(line, key, value.replace("$$", "$")) for line, key, value in found]
