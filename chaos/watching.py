"""The alerts of an installation that is broken on purpose: who is scraped, and what was on."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

from chaos.alarms import Alarm, alarms_of
from chaos.fleet import Fleet
from chaos.monitoring import Monitoring
from cronstream import clock

_LOOK_AGAIN_S = 0.5
#: As many as Prometheus gives at once of each series.
_SAMPLES = 10_000


class Watching:
    """Scrapes the parts that there are, and knows afterwards which alerts were on."""

    def __init__(self, monitoring: Monitoring | None, fleet: Fleet, brokers: Sequence[str]) -> None:
        self._monitoring, self._fleet, self._brokers = monitoring, fleet, brokers

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Have every part scraped meanwhile; does nothing without a monitoring."""
        if self._monitoring is None:
            yield
            return
        async with self._monitoring.running() as monitoring:
            following = asyncio.create_task(self._follow(monitoring))
            try:
                yield
            finally:
                following.cancel()
                await asyncio.wait([following])

    async def alarms(self, since: datetime) -> tuple[Alarm, ...] | None:
        """Return which alerts were on; None if nobody watched."""
        if self._monitoring is None:
            return None
        now = clock.now()
        step_s = max(1.0, (now - since).total_seconds() / _SAMPLES)
        on = 'ALERTS{alertstate="firing"}'
        return alarms_of(await self._monitoring.ask_over(on, since, now, step_s), step_s)

    async def _follow(self, monitoring: Monitoring) -> None:
        shown: list[int] = []
        while True:
            ports = [part.web_port for part in self._fleet.parts.values() if not part.is_leaving]
            if ports != shown:
                monitoring.watch(ports, self._brokers)
                shown = ports
            await asyncio.sleep(_LOOK_AGAIN_S)
