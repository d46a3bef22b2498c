"""What pages are made of: all that is known at one moment."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from cronstream.console.ahead import Ahead
from cronstream.console.installed import Installed
from cronstream.console.pasts import Pasts
from cronstream.console.store import Store
from cronstream.core.health.presence import Presence
from cronstream.history.fields import full_fields, run_fields
from cronstream.history.story import RunState, RunStory


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

    def brief(self, story: RunStory) -> dict[str, Any]:
        """Return a run as a row of a list has it now."""
        return run_fields(self._heard(story), self.now)

    def full(self, story: RunStory) -> dict[str, Any]:
        """Return a run with its command and all its attempts."""
        return full_fields(self._heard(story), self.now)

    def _heard(self, story: RunStory) -> RunStory:
        """Return a run; one that is claimed with when its worker last announced itself."""
        if story.state is not RunState.CLAIMED or story.last is None:
            return story
        for seen in self.installed.processes:
            if seen.who.name == story.last.worker:
                is_there = seen.is_there(self.installed.now)
                return replace(story, heard_at=self.now if is_there else seen.at)
        return story
