"""What a worker has in its environment and its commands do not get, logged when it starts."""

import logging

from cronstream.core.wire.variables import for_commands, without_settings
from cronstream.logs import fields
from cronstream.settings import Settings, child_environment

logger = logging.getLogger(__name__)


def log_withheld(settings: Settings) -> None:
    """Say which variables commands do not get, that somebody who misses one finds out why."""
    ours = child_environment()
    names = sorted(without_settings(ours).keys() - for_commands(ours, settings.passed_variables))
    if names:
        text = "of this worker's environment its commands do not get %s (see CRONSTREAM_PASS_ENV)"
        logger.info(text, ", ".join(names), extra=fields("variables-withheld"))
