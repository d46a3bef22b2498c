"""What chaos knows of a part from its lines."""

import sys
from collections.abc import Callable
from pathlib import Path

from chaos.service import Service
from cronstream.broker.guard import Guard
from cronstream.core.wire.naming import Role
from cronstream.supervisor.child import ProcessChild
from cronstream.supervisor.command import Command

#: A process that logs as all do, and ends.
LIFE = """
import logging, logging.config, sys
from cronstream.logs import fields, logging_config
from cronstream.settings import Settings
logging.config.dictConfig(logging_config(Settings(log_format="json")))
logger = logging.getLogger("cronstream.worker")
print("no line of JSON", file=sys.stderr)
logger.info("this worker is %s in the ledger", "w 1", extra=fields("worker-named", worker="w 1"))
for action in ACTIONS:
    logger.info("shard 0: whatever is said of it", extra=fields(action, shard=0))
"""


async def test_a_part_knows_its_worker_and_whether_it_fires_from_the_fields_of_its_lines(
    tmp_path: Path,
) -> None:
    heard: list[bool] = []

    async def launch(part: Service, process: str, say: Callable[[str], None]) -> ProcessChild:
        actions = [["shard-taken"], ["shard-taken", "shard-left", "crontab-applied"]]
        code = f"ACTIONS = {actions[int(process[-1]) - 1]}\n{LIFE}"

        def hear(line: str) -> None:
            say(line)
            heard.append(part.fires)

        part.away_s, part.is_leaving = 0.0, process.endswith("2")
        command = Command((sys.executable, "-c", code))
        return await ProcessChild.start(command, hear, guard, 1.0)

    guard, file = Guard(), (tmp_path / "part.log").open("w")
    part = Service(Role.of(None, retry=False), "chaos-1", launch, file)
    await part.keep()
    guard.close()
    assert [life.worker for life in part.lives] == ["w 1", "w 1"]
    assert heard == [False, False, True, False, False, True, False, False]
    assert (tmp_path / "part.log").read_text().count("shard 0") == 4
