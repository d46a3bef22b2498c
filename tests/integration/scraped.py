"""What real processes tell Prometheus, read as Prometheus reads it, and checked by its own tool."""

import asyncio
import subprocess

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from tests.prometheus.installed import installed

#: The values of a scrape by name and labels.
Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


async def scrape(url: str) -> Series:
    """Return what is told at a URL; it has to be as Prometheus wants it."""
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        text = await answer.text()
    await asyncio.to_thread(_check, text)
    return read(text)


def read(text: str) -> Series:
    """Return what a text says."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def total(series: Series, name: str, **labels: str) -> float:
    """Return the sum of the series of a name that have some labels."""
    return sum(each for each in found(series, name, **labels))


def found(series: Series, name: str, **labels: str) -> list[float]:
    """Return the values of the series of a name that have some labels."""
    return [v for (n, has), v in series.items() if n == name and labels.items() <= has]


def _check(text: str) -> None:
    promtool = installed("promtool")
    done = subprocess.run(
        [promtool, "check", "metrics"], input=text, text=True, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
