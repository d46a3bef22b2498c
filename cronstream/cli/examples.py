"""Examples for the help of each command: lines as a person types them, each with what it is for."""

from typing import Final

#: For each command its examples, the commonest first.
EXAMPLES: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "init": (
        ("cronstream init", "an example crontab.yaml here"),
        ("cronstream init shop", "in a folder that is made"),
    ),
    "up": (
        ("cronstream up", "all of crontab.yaml, until Ctrl-C"),
        ("cronstream up --crontab /etc/shop.yaml --port 9192", "another file and port"),
        ("cronstream up --broker kafka://kafka1:9092", "on a Kafka that is there"),
    ),
    "broker": (
        ("cronstream broker", "at 127.0.0.1:9092, until Ctrl-C"),
        ("cronstream broker --port 9192 --data-dir /srv/kafka", "elsewhere"),
        ("cronstream broker --listen 192.0.2.1:9093", "for other machines too"),
    ),
    "import": (
        ("cronstream import /etc/crontab /etc/cron.d/* -o crontab.yaml", "a machine's crontabs"),
        ("crontab -l | cronstream import - --timezone Europe/Berlin", "one's own"),
        ("cronstream import cronjobs.yaml --cluster shop", "CronJobs of Kubernetes"),
        ("cronstream import /etc/systemd/system/*.timer", "timers, with their services"),
    ),
    "check": (
        ("cronstream check", "the crontab that the scheduler reads"),
        ("cronstream check new.yaml --json", "another one, for a program"),
    ),
    "jobs": (
        ("cronstream jobs", "what there is, and when it is due next"),
        ("cronstream jobs new.yaml --json", "of another file, with all settings"),
        ("cronstream jobs --overdue", "which have not succeeded as often as they should"),
        ("cronstream jobs --paused", "which are paused: by whom, why and until when"),
    ),
    "next": (
        ("cronstream next", "the next ten due times of all jobs"),
        ("cronstream next backup --count 3", "of one job"),
        ("cronstream next backup --from 2026-10-25", "around a change of the clocks"),
    ),
    "explain": (
        ("cronstream explain backup", "a job of the crontab"),
        ('cronstream explain "30 2 * * mon-fri" --tz Europe/Berlin', "what would be meant"),
        ('cronstream explain "H H * * *" --name backup', "what H is for a name"),
    ),
    "plan": (
        ("cronstream plan", "what the scheduler's file would change now"),
        ("cronstream plan new.yaml --within 7d", "what another would, for a week ahead"),
        ("cronstream plan old.yaml new.yaml --json", "between two files, for a program"),
    ),
    "schema": (
        ("cronstream schema > crontab.schema.json", "beside the crontab, as init writes it"),
    ),
    "simulate": (
        ("cronstream simulate", "the day that begins now, by how long runs took of late"),
        ("cronstream simulate new.yaml --seconds backup=40m --seconds '*=30s'", "as given"),
        ("cronstream simulate --from 2026-10-25 --for 7d --slots 16 --svg > week.svg", ""),
    ),
    "history": (
        ("cronstream history", "the last edits of all jobs"),
        ("cronstream history backup --json", "each revision of one job, for a program"),
    ),
    "console": (
        ("cronstream console", "at http://127.0.0.1:6060/, until Ctrl-C"),
        ("cronstream console --port 0", "at any port that is free"),
    ),
    "keys": (
        ("cronstream keys new alice.key --causes run-now,replay --name alice", "a person's key"),
        ("cronstream keys list", "who is trusted, and by whom"),
        ("cronstream keys check", "what would not run if all had to be signed"),
    ),
    "runs": (
        ("cronstream runs", "the last hour"),
        ("cronstream runs --job backup --since 7d", "one job, for a week"),
        ("cronstream runs --state discarded --json", "what failed for good, for a program"),
        ("cronstream runs --follow", "each change as it happens"),
    ),
    "show": (
        ("cronstream show backup@latest", "the run that started last"),
        ("cronstream show backup@2026-01-01T02:30:00Z", "the one of a due time"),
        ("cronstream show backup@latest --json", "with all there is, for a program"),
    ),
    "logs": (
        ("cronstream logs backup@latest", "what the run that started last has written"),
        ("cronstream logs backup@latest --follow", "and what it writes, until it has its verdict"),
    ),
    "discarded": (
        ("cronstream discarded", "the last week"),
        ("cronstream discarded --cluster cluster-a --since 1d", "one cluster, since yesterday"),
    ),
    "replay": (
        ("cronstream replay backup@2026-01-01T02:30:00Z", "one run"),
        ("cronstream replay --job backup --since 1d --dry-run", "what that would replay"),
        ("cronstream replay --job backup --since 1d --yes", "and do it, without a question"),
    ),
    "audit": (
        ("cronstream audit", "the last day"),
        ("cronstream audit --job backup --since 7d --strict", "one job, and nothing may be late"),
    ),
    "workers": (
        ("cronstream workers", "who is there, and in what they differ"),
        ("cronstream workers --cluster cluster-a --json", "of one cluster, for a program"),
    ),
    "doctor": (
        ("cronstream doctor", "settings, versions and clocks that differ"),
        ("cronstream doctor --json", "for a program"),
    ),
    "run-now": (
        ("cronstream run-now backup", "and go on"),
        ("cronstream run-now backup --wait", "until it has succeeded or not"),
        ("cronstream run-now report --arg 2026-10 --env DRY_RUN=1", "where the job allows it"),
    ),
    "backfill": (
        ("cronstream backfill backup --from 7d --dry-run", "what was not run in a week"),
        ("cronstream backfill backup --from 2026-01-01 --to 2026-01-03 --rate 6/h", "run it"),
    ),
    "pause": (
        ('cronstream pause backup --reason "disk is full"', "until somebody resumes it"),
        ("cronstream pause backup --until 2h", "for two hours"),
        ("cronstream pause --cluster cluster-a --retries", "a cluster, with later attempts"),
    ),
    "resume": (
        ("cronstream resume backup", "also if its discarded runs have paused it"),
        ("cronstream resume --cluster cluster-a", "all jobs that were paused with it"),
    ),
    "cancel": (
        ("cronstream cancel backup@2026-01-01T02:30:00Z", "one run"),
        ("cronstream cancel --job backup", "all of a job that are not over"),
    ),
    "repair": (
        ("cronstream repair --dry-run", "what a clock that was ahead has left behind"),
        ("cronstream repair", "undo it, once all clocks are right"),
    ),
    "acls": (
        ("cronstream acls --role scheduler", "of all clusters of the crontab"),
        ("cronstream acls --role worker --cluster cluster-a", "of one cluster's worker"),
        ("cronstream acls --role reader --principal User:ann --format strimzi", "a KafkaUser"),
    ),
    "topics": (
        ("cronstream topics", "commands that create them"),
        ("cronstream topics --create", "create those that are missing"),
    ),
    "move-out": (
        ("cronstream move-out shop.export", "once all schedulers and workers are stopped"),
        ("cronstream move-out --take-back", "go on here after all"),
    ),
    "move-in": (
        ("cronstream move-in shop.export --dry-run", "what is in the file"),
        ("cronstream move-in shop.export", "on a Kafka where no installation is yet"),
    ),
    "completion": (
        ("cronstream completion bash > ~/.local/share/bash-completion/completions/cronstream", ""),
        ("cronstream completion fish > ~/.config/fish/completions/cronstream.fish", ""),
    ),
    "help": (
        ("cronstream help", "what there is"),
        ("cronstream help runs", "as cronstream runs --help"),
    ),
}


def epilog(name: str) -> str | None:
    """Return the examples of a command as click is to show them; None if there are none."""
    lines = EXAMPLES.get(name)
    if not lines:
        return None
    width = max(len(line) if why else 0 for line, why in lines)
    shown = (f"  {line.ljust(width)}  # {why}" if why else f"  {line}" for line, why in lines)
    return "\n".join(("\b", "Examples:", *shown))
