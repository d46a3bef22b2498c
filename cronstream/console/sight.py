"""What pages are made of: all that is known at one moment."""

from dataclasses import dataclass
from datetime import datetime

from cronstream.console.ahead import Ahead
from cronstream.console.installed import Installed
from cronstream.console.pasts import Pasts
from cronstream.console.store import Store
from cronstream.core.health.presence import Presence


@dataclass(frozen=True, slots=True)
class Sight:
    """What is known at one moment, and the projection."""

    store: Store
    installed: Installed
    now: datetime
    pasts: Pasts
    ahead: Ahead

    @property
    def there(self) -> list[Presence]:
        """The processes that are there."""
        seen = self.installed.processes
        return [one.who for one in seen if one.is_there(self.installed.now)]
