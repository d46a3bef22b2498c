"""A forecast as a picture: for the workers of each cluster, slots in use and what waits, as SVG."""

from collections.abc import Sequence
from datetime import timedelta
from html import escape
from typing import Final

from cronstream.core.forecast.figures import Forecast, PoolFigures

_WIDTH, _HEIGHT, _LEFT, _GAP, _TOP = 960, 90, 60, 70, 50
_STYLE: Final = (
    "text{font:12px sans-serif;fill:#444}.title{font-size:14px;fill:#111}"
    ".used{fill:#4a7fb5}.waiting{fill:#d2743a}.whole{stroke:#999;stroke-dasharray:4 3}"
    ".axis{stroke:#999}"
)
_TICKS: Final = 8


def picture(forecast: Forecast, title: str) -> str:
    """Return an SVG document: below each other the workers that make any attempt."""
    pools = [pool for pool in forecast.pools if pool.used.most]
    height = _TOP + len(pools) * (_HEIGHT + _GAP)
    charts = (
        _chart(pool, forecast, _TOP + number * (_HEIGHT + _GAP))
        for number, pool in enumerate(pools)
    )
    width = _WIDTH + 2 * _LEFT
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
            f"<title>{escape(title)}</title>",
            f"<style>{_STYLE}</style>",
            '<rect width="100%" height="100%" fill="#fff"/>',
            f'<text class="title" x="{_LEFT}" y="24">{escape(title)}</text>',
            *charts,
            "</svg>",
        ]
    )


def _chart(pool: PoolFigures, forecast: Forecast, top: int) -> str:
    """Return one chart: what waits stands on top of all slots that are in use."""
    role = "retry worker" if pool.retry else "worker"
    sums = [sum(pair) for pair in zip(pool.used.steps, pool.waiting.steps, strict=True)]
    most = max(*sums, pool.used.most)
    base, low = top + 20 + _HEIGHT, top + 20
    words = f"{pool.cluster}, {role}: {pool.used.most} of {pool.slots} slots in use at most"
    if pool.waiting.most:
        words += f", {pool.waiting.most} attempts wait (orange)"
    parts = [
        f'<text x="{_LEFT}" y="{top + 12}">{escape(words)}</text>',
        f'<text x="{_LEFT - 6}" y="{low + 10}" text-anchor="end">{most}</text>',
        _area("waiting", sums, most, base) if pool.waiting.most else "",
        _area("used", pool.used.steps, most, base),
        f'<path class="axis" d="M{_LEFT} {base}h{_WIDTH}"/>',
        _whole(pool.slots, most, base),
        *_ticks(forecast, base),
    ]
    return "\n".join(part for part in parts if part)


def _area(kind: str, values: Sequence[int], most: int, base: int) -> str:
    step = _WIDTH / len(values)
    heights = (base - value * _HEIGHT / most for value in values)
    path = "".join(f"V{height:.1f}h{step:.3f}" for height in heights)
    return f'<path class="{kind}" d="M{_LEFT} {base}{path}V{base}z"/>'


def _whole(slots: int, most: int, base: int) -> str:
    """Return a line where all slots are in use, if it is within the chart."""
    if slots > most:
        return ""
    return f'<path class="whole" d="M{_LEFT} {base - slots * _HEIGHT / most:.1f}h{_WIDTH}"/>'


def _ticks(forecast: Forecast, base: int) -> list[str]:
    length = forecast.until - forecast.start
    form = "%H:%M:%S" if length < timedelta(hours=1) else "%H:%M"
    form = form if length <= timedelta(days=1) else "%m-%d %H:%M"
    return [
        f'<text x="{_LEFT + number * _WIDTH / _TICKS:.0f}" y="{base + 16}" text-anchor="middle">'
        f"{forecast.start + number * length / _TICKS:{form}}</text>"
        for number in range(_TICKS + 1)
    ]
