"""All families of one process, and the text in which Prometheus reads them."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    Metric,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import choose_encoder

#: Upper bounds of histograms, in seconds: of what is to be at once, and of what takes its time.
DELAYS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
DURATIONS: Final = (0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 1800, 3600, 4 * 3600, 24 * 3600)

#: Looked up anew at each scrape.
Looked = Callable[[], Iterable[Metric]]


class Metrics:
    """What one process tells.

    Attributes:
        registry: Has the counters and histograms, and what the process itself is known by.
    """

    def __init__(self) -> None:
        disable_created_metrics()  # A second series for each, which nobody asks for.
        self.registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        self._looked: list[Looked] = []

    def add(self, looked: Looked) -> None:
        """Have families looked up at each scrape, on the event loop: nothing changes meanwhile."""
        self._looked.append(looked)

    def collect(self) -> Iterator[Metric]:
        """Yield every family; those that are looked up first."""
        for looked in self._looked:
            yield from looked()
        yield from self.registry.collect()

    async def page(self, accept: str) -> tuple[bytes, str]:
        """Return the text of the page, and its type.

        It is written in a thread: of many jobs that takes some ten milliseconds, in which nobody is
        to wait.

        Args:
            accept: The types that are asked for, as in HTTP's header.
        """
        looked = [family for each in self._looked for family in each()]
        encode, content_type = choose_encoder(accept)
        return await asyncio.to_thread(encode, _Scrape(looked, self.registry)), content_type


class _Scrape:
    """What one scrape gets."""

    def __init__(self, looked: list[Metric], registry: CollectorRegistry) -> None:
        self._looked, self._registry = looked, registry

    def collect(self) -> Iterator[Metric]:
        yield from self._looked
        yield from self._registry.collect()


def counts(
    name: str,
    text: str,
    labels: Mapping[str, str],
    rows: Iterable[tuple[Mapping[str, str], float]],
) -> Metric:
    """Return a counter with a series for each row; see `gauges`."""
    family = CounterMetricFamily(name, text)
    for more, value in rows:
        family.add_sample(name, {**labels, **more}, value)
    return family


def gauge(name: str, text: str, labels: Mapping[str, str], value: float | None) -> Metric:
    """Return a gauge with one series; without any if its value is not known."""
    return gauges(name, text, labels, [] if value is None else [({}, value)])


def gauges(
    name: str,
    text: str,
    labels: Mapping[str, str],
    rows: Iterable[tuple[Mapping[str, str], float]],
) -> Metric:
    """Return a gauge with a series for each row.

    Args:
        name: Its name, with the unit.
        text: What it is, in a sentence.
        labels: Those that all its series have.
        rows: The others, with the value.
    """
    family = GaugeMetricFamily(name, text)
    for more, value in rows:
        family.add_sample(name, {**labels, **more}, value)
    return family
