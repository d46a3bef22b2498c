"""Timers of systemd, each with its service."""

import pytest

from tests.importers.imported import Imported, imported

SERVICE = "[Unit]\nDescription=Backs up\n[Service]\nType=oneshot\nExecStart=/bin/backup --all\n"


def timer(body: str = "OnCalendar=daily", service: str = SERVICE, name: str = "backup") -> Imported:
    unit = f"{name.partition('@')[0]}@.service" if "@" in name else f"{name}.service"
    text = f"[Unit]\nDescription=A timer\n\n[Timer]\n{body}\n"
    return imported(text, name=f"d/{name}.timer", beside={unit: service})


def exec_start(*lines: str) -> Imported:
    return timer(service="[Service]\n" + "\n".join(lines))


def test_a_timer_and_its_service_are_a_job_that_does_not_overlap() -> None:
    found = timer()

    assert found.only == {
        "cluster": "c",
        "name": "backup",
        "description": "Backs up",
        "schedule": "0 0 * * *",
        "timezone": "UTC",
        "command": ["/bin/backup", "--all"],
        "overlap": "skip",
    }
    assert not found.notes


def test_several_events_are_several_schedules_and_an_empty_one_takes_them_back() -> None:
    found = timer("OnCalendar=hourly\nOnCalendar=\nOnCalendar=daily\nOnCalendar=Mon 06:00")
    assert found.only["schedule"] == ["0 0 * * *", "0 6 * * mon"]


def test_days_that_have_to_fit_both_are_kept_by_an_exclusion() -> None:
    found = timer("OnCalendar=Fri *-*-13 00:00")

    assert found.only["schedule"] == "0 0 13 * *"
    assert found.only["exclude"] == "* * * * mon,tue,wed,thu,sat,sun"


def test_a_delay_is_jitter_and_an_interval_is_one() -> None:
    found = timer("OnBootSec=5min\nOnUnitActiveSec=15min\nRandomizedDelaySec=1h 30m")

    assert found.only["schedule"] == "@every 15m"
    assert found.only["jitter"] == "1h30m"
    assert [note.partition(":")[2] for note in found.notes] == [
        "5: OnBootSec: a start of a machine is no due time",
        "6: OnUnitActiveSec counts from run to run; @every counts from 1970",
    ]


@pytest.mark.parametrize(
    ("lines", "command"),
    [
        (["ExecStart=/bin/sh -c 'a | b'"], "a | b"),
        (["ExecStart=-/bin/a 'b c'"], "{ /bin/a 'b c' || true; }"),
        (["ExecStartPre=/bin/a", "ExecStart=/bin/b"], "/bin/a && /bin/b"),
        (["ExecStart=/bin/a ; /bin/b c"], "/bin/a && /bin/b c"),
        (["ExecStart=/bin/a $ARGS ${X}y $$1 'z w'"], "/bin/a $ARGS \"${X}\"y '$'1 'z w'"),
        (["ExecStart=:/bin/a $ARGS"], ["/bin/a", "$ARGS"]),
        (["ExecStart=@/bin/a b c"], ["/bin/a", "c"]),
        (["ExecStart=+/bin/a %% %n"], ["/bin/a", "%", "backup.service"]),
        (["ExecStart=%h/run"], '"${HOME}"/run'),
        (["ExecStart=/bin/a \\", "  b"], ["/bin/a", "b"]),
    ],
)
def test_what_a_service_executes_is_the_command(lines: list[str], command: object) -> None:
    assert exec_start(*lines).only["command"] == command


@pytest.mark.parametrize(
    ("line", "key", "value"),
    [
        ("User=backup", "user", "backup"),
        ("WorkingDirectory=-/srv", "cwd", "/srv"),
        ("UMask=0027", "umask", "0027"),
        ("Environment=A=1 'B=2 3' C=50%%", "env", {"A": "1", "B": "2 3", "C": "50%"}),
        ("RuntimeMaxSec=2h", "timeout", "2h"),
        ("TimeoutStopSec=90", "grace", "1m30s"),
        ("LimitNOFILE=1024:4096", "limits", {"files": 1024}),
    ],
)
def test_what_a_service_says_of_a_process_is_said_of_the_job(
    line: str, key: str, value: object
) -> None:
    assert exec_start("ExecStart=/bin/a", line).only[key] == value


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("EnvironmentFile=/etc/x", "d/backup.service:3: EnvironmentFile=/etc/x: have the command"),
        ("Restart=on-failure", "d/backup.service:3: Restart=on-failure: write 'max_attempts'"),
        ("ProtectSystem=full", "d/backup.service:3: ProtectSystem: give it to the unit"),
        ("WorkingDirectory=~", "WorkingDirectory=~: write 'cwd'"),
        ("[Unit]\nOnFailure=x", "d/backup.service:4: OnFailure=x: write 'on_discard'"),
        ("[Unit]\nConditionACPower=true", "d/backup.service:4: ConditionACPower: give it"),
    ],
)
def test_what_only_a_service_has_is_noted_at_its_line(line: str, said: str) -> None:
    notes = exec_start("ExecStart=/bin/a", line).notes
    assert any(said in note for note in notes), notes


def test_a_persistent_timer_makes_up_for_what_was_missed() -> None:
    assert timer("OnCalendar=daily\nPersistent=true").only["missed"] == "once"
    assert "missed" not in timer("OnCalendar=daily\nPersistent=false").only


def test_an_instance_of_a_template_is_a_job() -> None:
    found = timer(service="[Service]\nExecStart=/bin/a %i", name="dump@shop")

    assert found.only["name"] == "dump-shop"
    assert found.only["command"] == ["/bin/a", "shop"]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (timer("OnBootSec=5min"), "d/backup.timer:4: OnBootSec=5min is once after a start"),
        (timer("OnCalendar=never"), "d/backup.timer:5: 'never' is no day of the week"),
        (
            timer("OnCalendar=daily UTC\nOnCalendar=daily Asia/Tokyo"),
            "its calendar events differ in zone",
        ),
        (timer("Unit=other.service\nOnCalendar=daily"), "d/backup.timer:5: other.service is not"),
        (timer(name="dump@"), "it is a template"),
        (exec_start("ExecStart=/bin/a 'b"), "has no closing quotation"),
        (exec_start("ExecStart=/bin/a %H"), "%H in '%H' is systemd's"),
        (exec_start("User=x"), "backup.service: it has no ExecStart"),
    ],
)
def test_what_cannot_be_carried_over_is_left_out_with_its_line(found: Imported, said: str) -> None:
    assert not found.said
    assert said in found.lost[0]


def test_flags_of_a_timer_are_noted() -> None:
    notes = timer("OnCalendar=daily\nWakeSystem=true\nFixedRandomDelay=yes").notes
    assert [note.split(": ")[1] for note in notes] == ["WakeSystem", "FixedRandomDelay"]


def test_a_file_without_a_timer_says_so() -> None:
    assert imported("[Unit]\n", "systemd").notes == ["f:1: there is no [Timer] in it"]
