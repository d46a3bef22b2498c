"""Every command, by name, and under which heading the help has it: nothing of it is imported."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Entry:
    """A command as the help shows it, and where it is found once it is used."""

    name: str
    place: str
    summary: str
    needs_linux: bool = False


#: Every command, under the heading that the help gives it.
SECTIONS: Final[dict[str, tuple[Entry, ...]]] = {
    "Run it": (
        Entry("init", "cronstream.cli.init_command:init", "Write an example crontab."),
        Entry(
            "up",
            "cronstream.cli.up:up",
            "Run everything, with a real Kafka, on this machine.",
            needs_linux=True,
        ),
        Entry(
            "broker",
            "cronstream.cli.broker_command:broker",
            "Run only the embedded Kafka.",
            needs_linux=True,
        ),
    ),
    "The crontab": (
        Entry(
            "import",
            "cronstream.cli.import_command:import_",
            "Make a crontab of other cron programs' files.",
        ),
        Entry("check", "cronstream.cli.crontab_commands:check", "Find every problem in a crontab."),
        Entry("jobs", "cronstream.cli.crontab_commands:jobs", "List the jobs of a crontab."),
        Entry("next", "cronstream.cli.crontab_commands:next_", "Show when jobs are due next."),
        Entry(
            "explain", "cronstream.cli.explain_command:explain", "Say in words when a job is due."
        ),
        Entry("plan", "cronstream.cli.plan_command:plan", "Show what a crontab would change."),
        Entry("schema", "cronstream.cli.schema_command:schema", "Print its JSON Schema."),
        Entry(
            "simulate",
            "cronstream.cli.simulate_command:simulate",
            "Show what a day would be like: slots, queues, overlaps.",
        ),
        Entry("history", "cronstream.cli.history_command:history", "List the revisions of jobs."),
    ),
    "What became of runs": (
        Entry("runs", "cronstream.cli.run_commands:runs", "List runs, or follow them live."),
        Entry("show", "cronstream.cli.run_commands:show", "Show one run with all its attempts."),
        Entry(
            "logs",
            "cronstream.cli.logs_command:logs",
            "Show what a run has written, or follow it live.",
        ),
        Entry(
            "discarded",
            "cronstream.cli.discarded_commands:discarded",
            "List the runs that are out of attempts.",
        ),
        Entry(
            "replay", "cronstream.cli.discarded_commands:replay", "Run discarded runs once more."
        ),
        Entry(
            "audit",
            "cronstream.cli.audit_command:audit",
            "Prove that every due time became what was promised.",
        ),
    ),
    "Who is there": (
        Entry(
            "console",
            "cronstream.cli.console_command:console",
            "Serve a page that shows what becomes of runs.",
        ),
        Entry(
            "workers",
            "cronstream.cli.workers_command:workers",
            "List the processes that are there, and in what they differ.",
        ),
        Entry(
            "doctor",
            "cronstream.cli.doctor_command:doctor",
            "Say what is wrong with the installation as a whole.",
        ),
    ),
    "By hand": (
        Entry("pause", "cronstream.cli.pause_commands:pause", "Pause a job, or a cluster's jobs."),
        Entry("resume", "cronstream.cli.pause_commands:resume", "Have paused jobs go on."),
        Entry("run-now", "cronstream.cli.run_now:run_now", "Run a job now, whatever its schedule."),
        Entry("backfill", "cronstream.cli.backfill:backfill", "Run due times that are past."),
        Entry("cancel", "cronstream.cli.cancel:cancel", "End runs, and drop those that wait."),
        Entry(
            "repair",
            "cronstream.cli.repair:repair",
            "Undo what a clock that was ahead has left behind.",
        ),
    ),
    "Who may ask": (
        Entry(
            "keys", "cronstream.cli.keys_command:keys", "Make keys that sign runs; who trusts them."
        ),
        Entry("acls", "cronstream.cli.acls_command:acls", "Print the rights of each role."),
        Entry("topics", "cronstream.cli.topics_command:topics", "Print or create all topics."),
    ),
    "Moving": (
        Entry("move-out", "cronstream.cli.moving_commands:move_out", "Write all that is live."),
        Entry("move-in", "cronstream.cli.moving_commands:move_in", "Go on from it elsewhere."),
    ),
    "Completion and help": (
        Entry("completion", "cronstream.cli.main:completion", "Print a shell's completion script."),
        Entry("help", "cronstream.cli.main:help_", "Show what there is, or one command's help."),
    ),
}
