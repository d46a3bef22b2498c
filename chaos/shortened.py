"""The monitoring of ops/ as it is, but quicker: times that are waited for are divided by a factor.

Windows, ``for``, offsets and the intervals of Alertmanager become shorter, and scrapes and
evaluations come each second. Thresholds stay: what counts as late, stuck or apart is not another
thing because it is looked at sooner. So an alert that comes after a minute in earnest comes after
seconds, by the same rule; and faults that are over within seconds raise some that they would not.
"""

import re
from pathlib import Path

from cronstream.core.schedule.duration import parse_duration

ROOT = Path(__file__).parents[1]
RULES = ROOT / "ops" / "prometheus" / "rules"
PROMETHEUS = ROOT / "ops" / "prometheus" / "prometheus.yml"
ALERTMANAGER = ROOT / "ops" / "alertmanager" / "alertmanager.yml"
#: A window has to have two samples at least, a second apart.
_LEAST_MS = 3000

_IN_RULES = re.compile(r"(?:(?<=\[)|(?<=for: )|(?<=offset ))\d+[smhd](?=[\])\s])")
#: A rate is multiplied by the seconds of its window.
_SECONDS = re.compile(r"(?<=\* )(?:3600|21600|86400|259200)\b")
_IN_ROUTES = re.compile(r"(?<=_wait: )\w+|(?<=_interval: )\w+")


def shorter_rules(text: str, factor: int) -> str:
    """Return rules of Prometheus with all that they wait for divided by `factor`."""
    text = _IN_RULES.sub(lambda found: _shorter(found[0], factor), text)
    return _SECONDS.sub(lambda found: f"{int(found[0]) / factor:g}", text)


def shorter_routes(text: str, factor: int, receiver: str) -> str:
    """Return a configuration of Alertmanager that waits less and sends to another address.

    Args:
        text: What ops/ has.
        factor: What its waits are divided by.
        receiver: The address of whoever hears, as ``http://127.0.0.1:9``.
    """
    text = _IN_ROUTES.sub(lambda found: _shorter(found[0], factor, least_ms=500), text)
    return re.sub(r"http://127\.0\.0\.1:\d+(?=/)", receiver, text)


def quick_prometheus(text: str, alertmanager: str) -> str:
    """Return a configuration of Prometheus that looks each second, and has another Alertmanager."""
    text = re.sub(r"(?<=_interval: )\w+", "1s", text)
    return re.sub(r"127\.0\.0\.1:9093", alertmanager, text)


def _shorter(duration: str, factor: int, least_ms: int = _LEAST_MS) -> str:
    return f"{max(least_ms, round(parse_duration(duration) * 1000 / factor))}ms"
