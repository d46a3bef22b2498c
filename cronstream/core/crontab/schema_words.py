"""What an editor shows of each key of a crontab: a sentence, and values as they may be.

The keys themselves, their types, bounds and choices are the models'
(`cronstream.core.crontab.model`); `cronstream.core.crontab.schema` puts the two together. A key of
a model below another is ``backoff.first``.
"""

from typing import Any, Final

#: For each key what it says, and examples, the commonest first.
WORDS: Final[dict[str, tuple[str, tuple[Any, ...]]]] = {
    "name": (
        "What the job is called: letters, digits, '.', '_' and '-'. No two jobs have the same.",
        ("backup", "report-tokyo"),
    ),
    "cluster": ("Which of the clusters runs it.", ("cluster-a",)),
    "schedule": (
        (
            "When it is due: five fields (minute, hour, day of month, month, day of week), six "
            "with the second first, a nickname, @every or @at; a list is due when one of them is."
        ),
        (
            "30 2 * * *",
            "*/15 8-17 * * mon-fri",
            "@daily",
            "@every 10m",
            "H H(1-5) * * *",
            ["0 9 * * mon-fri", "0 12 * * sat"],
        ),
    ),
    "command": (
        "Text for /bin/sh -c, or a list: a program and its arguments, without a shell.",
        ("pg_dump shop > /srv/backup/shop.sql", ["/srv/prices/sync", "--from", "tokyo"]),
    ),
    "shell": (
        "Which shell runs a command that is text, with the options before it.",
        ("/bin/bash -euo pipefail -c",),
    ),
    "exclude": (
        "When it is not due: dates, ranges, schedules of five fields, or names of calendars.",
        ("holidays", ["2026-12-24", "* * * * sat,sun"], "2026-12-24..2026-12-26"),
    ),
    "start": ("The first date, or time, that it is due.", ("2026-11-27", "2026-11-27T06:00")),
    "end": (
        "The last date that it is due, or the time before which it is.",
        ("2026-12-24", "2026-12-24T18:00"),
    ),
    "dst": (
        (
            "What becomes of times that clocks skip or repeat: once (a skipped one at the first "
            "moment after the gap), skip (a skipped one is not due), twice (a repeated one both "
            "times)."
        ),
        ("once",),
    ),
    "jitter": (
        "Up to how long after the time of its schedule it is due, another while for each time.",
        ("10m",),
    ),
    "timezone": (
        "By whose clock it is due, and TZ of the command: an IANA name.",
        ("Europe/Berlin", "America/New_York", "UTC"),
    ),
    "max_attempts": ("How often a run may fail, the first attempt included.", (3,)),
    "backoff": ("How long to wait before later attempts.", ({"first": "30s", "ceiling": "10m"},)),
    "backoff.first": ("The wait after the first failure.", ("15s",)),
    "backoff.factor": ("By what the wait grows with each further failure.", (2,)),
    "backoff.ceiling": ("The longest wait.", ("1h",)),
    "backoff.jitter": ("Up to which part of the wait is added by chance.", (0.1,)),
    "retry_on": (
        "Which failures are worth another attempt; any other discards the run.",
        ({"exit_statuses": [75], "timeouts": True},),
    ),
    "retry_on.exit_statuses": (
        "all, or a list of 1 to 255; a signal counts as 128 plus its number.",
        ("all", [75]),
    ),
    "retry_on.timeouts": ("Whether an attempt that took too long is made again.", (True, False)),
    "timeout": ("How long an attempt may take; empty for no limit.", ("30m", "1h")),
    "grace": ("Between TERM and KILL, when an attempt is ended.", ("10s",)),
    "env": (
        "Variables for the command: text, or where a secret is.",
        ({"LANG": "C.UTF-8", "PGPASSWORD": {"file": "/run/secrets/shop-db"}},),
    ),
    "cwd": ("The folder in which the command starts; absolute.", ("/srv/prices",)),
    "user": ("The user, by name or number, that the command runs as.", ("backup", 1000)),
    "umask": (
        "Which rights the files it makes do not get: three octal digits, in quotes.",
        ("027",),
    ),
    "limits": ("How much each process of the command may use.", ({"memory": "2G", "cpu": "10m"},)),
    "limits.cpu": ("Processor time.", ("10m",)),
    "limits.memory": ("Address space.", ("512M", "2G")),
    "limits.files": ("Files that are open at once.", (256,)),
    "limits.file_size": ("The size of a file that it writes.", ("5G",)),
    "limits.processes": ("Processes and threads of its user on that machine.", (100,)),
    "delivery": (
        (
            "What is done about an attempt whose worker was lost: at_least_once makes it again, "
            "at_most_once discards the run."
        ),
        ("at_least_once",),
    ),
    "overlap": (
        (
            "What is done when a run is due while another of the job is not over: allow both, skip "
            "the new one, queue it, or replace the other by it."
        ),
        ("skip",),
    ),
    "max_queue": ("Only with overlap queue: how many due runs may wait.", (100,)),
    "max_running": ("Only with overlap skip or queue: how many runs may be under way.", (3,)),
    "then": (
        "Which jobs follow a run that has succeeded, was discarded, or either (settled).",
        ("report", {"discarded": "alert"}),
    ),
    "allow_args": ("Whether run-now may give a run arguments of its own.", (True,)),
    "allow_env": ("Which variables run-now may give a run.", (["MONTH"],)),
    "fence": ("Whether a command is ended before its worker can be taken for lost.", (True,)),
    "background": (
        "What becomes of the processes that a command leaves when it ends: kill or wait.",
        ("kill",),
    ),
    "on_stop": (
        "What becomes of its commands when their worker stops: drain, or interrupt at once.",
        ("interrupt",),
    ),
    "drain": (
        "How long they may go on then, at most; the worker's own drain time is the most.",
        ("5s",),
    ),
    "missed": (
        (
            "What becomes of due times that an outage made older than missed_grace: skip them, run "
            "the newest once for all of them, or run all, one after another."
        ),
        ("once",),
    ),
    "missed_grace": (
        "A due time further in the past than this when a scheduler first sees it was missed.",
        ("5m",),
    ),
    "enabled": ("Whether it is due at all; false pauses it.", (False,)),
    "pause_after": (
        "After so many discarded runs in a row it is paused, until somebody resumes it.",
        (5,),
    ),
    "start_within": (
        "A run that has not started so long after its due time is skipped; empty for no limit.",
        ("10m",),
    ),
    "expect_within": (
        "How often a success is expected at least; empty for never.",
        ("26h",),
    ),
    "ping": (
        "Which monitors hear of each run.",
        ({"healthchecks": {"file": "/run/secrets/healthchecks"}},),
    ),
    "ping.healthchecks": (
        "Where the address of a check by the protocol of healthchecks.io is.",
        ({"file": "/run/secrets/healthchecks"},),
    ),
    "ping.sentry": ("Where the address of a Sentry cron monitor is.", ({"from": "SENTRY_CRONS"},)),
    "on_success": (
        "Where the address is, a webhook's or a mail server's, that hears of each success.",
        ({"from": "BACKUP_DONE_URL"},),
    ),
    "on_discard": (
        "Where the address is, a webhook's or a mail server's, that hears of what is discarded.",
        ({"file": "/run/secrets/alerts"},),
    ),
    "description": ("For people.", ("Fetches the price list.",)),
}
