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
    "check": (
        ("cronstream check", "the crontab that the scheduler reads"),
        ("cronstream check new.yaml --json", "another one, for a program"),
    ),
    "jobs": (
        ("cronstream jobs", "what there is, and when it is due next"),
        ("cronstream jobs new.yaml --json", "of another file, with all settings"),
    ),
    "next": (
        ("cronstream next", "the next ten due times of all jobs"),
        ("cronstream next backup --count 3", "of one job"),
        ("cronstream next backup --from 2026-10-25", "around a change of the clocks"),
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
    ),
    "cancel": (
        ("cronstream cancel backup@2026-01-01T02:30:00Z", "one run"),
        ("cronstream cancel --job backup", "all of a job that are not over"),
    ),
    "repair": (
        ("cronstream repair --dry-run", "what a clock that was ahead has left behind"),
        ("cronstream repair", "undo it, once all clocks are right"),
    ),
    "export": (
        ("cronstream export shop.export", "once all schedulers and workers are stopped"),
        ("cronstream export --take-back", "go on here after all"),
    ),
    "import": (
        ("cronstream import shop.export --dry-run", "what is in the file"),
        ("cronstream import shop.export", "on a Kafka where no installation is yet"),
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
