"""Timers of systemd, each with its service."""

import pytest

from tests.importers.imported import Imported, imported

SERVICE = "[Unit]\nDescription=Backs up\n[Service]\nType=oneshot\nExecStart=/bin/backup --all\n"


def timer(body: str = "OnCalendar=daily", service: str = SERVICE, name: str = "backup") -> Imported:
    unit = f"{name.partition('@')[0]}@.service" if "@" in name else f"{name}.service"
    text = f"[Unit]\nDescription=A timer\n\n[Timer]\n{body}\n"
    return imported(text, name=f"d/{name}.timer", beside={f"d/{unit}": service})


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
        ("ExecStop=/bin/x", "d/backup.service:3: ExecStop=/bin/x: nothing runs after"),
        ("StandardOutput=append:/x", "d/backup.service:3: StandardOutput=append:/x: output is"),
        ("StandardError=file:/x", "d/backup.service:3: StandardError=file:/x: output is kept"),
        ("StandardInput=file:/x", "d/backup.service:3: StandardInput=file:/x: a command reads"),
        ("KillMode=process", "d/backup.service:3: KillMode=process: what a command leaves"),
        ("KillSignal=SIGINT", "d/backup.service:3: KillSignal=SIGINT: a command is ended"),
        ("SendSIGKILL=no", "d/backup.service:3: SendSIGKILL=no: what has not ended"),
        ("RemainAfterExit=yes", "d/backup.service:3: RemainAfterExit=yes: what stays active"),
        ("Type=forking", "d/backup.service:3: Type=forking: have the command stay"),
        ("Slice=low.slice", "d/backup.service:3: Slice: give it to the unit"),
        ("UMask=rwx", "d/backup.service:3: UMask=rwx: write 'umask'"),
        ("TimeoutStopSec=soon", "d/backup.service:3: TimeoutStopSec=soon: write 'grace'"),
        ("LimitNOFILE=infinity", "d/backup.service:3: LimitNOFILE=infinity: give it"),
        ("ProtectSystem=full", "d/backup.service:3: ProtectSystem: give it to the unit"),
        ("WorkingDirectory=~", "d/backup.service:3: WorkingDirectory=~: write 'cwd'"),
        ("[Unit]\nOnFailure=x", "d/backup.service:4: OnFailure=x: write 'on_discard'"),
        ("[Unit]\nConditionACPower=true", "d/backup.service:4: ConditionACPower: give it"),
    ],
)
def test_what_only_a_service_has_is_noted_at_its_line(line: str, said: str) -> None:
    notes = exec_start("ExecStart=/bin/a", line).notes
    assert any(said in note for note in notes), notes


@pytest.mark.parametrize(
    "line",
    [
        *("StandardOutput=journal", "StandardError=inherit", "KillMode=mixed", "Type=oneshot"),
        *("KillMode=control-group", "KillSignal=SIGTERM", "RemainAfterExit=no", "SendSIGKILL=yes"),
        *("TimeoutStartSec=infinity", "SyslogIdentifier=x", "Restart=always\nRestart="),
    ],
)
def test_a_setting_by_which_nothing_is_lost_is_not_noted(line: str) -> None:
    assert not exec_start("ExecStart=/bin/a", line).notes


def test_specifiers_in_variables_are_what_they_are_in_commands() -> None:
    line = "Environment=A=%i B=%t/%p C=%I D=%%h"
    found = timer(service=f"[Service]\nExecStart=/bin/a\n{line}", name="dump@a-b")

    assert found.only["env"] == {"A": "a-b", "B": "/run/dump", "C": "a/b", "D": "%h"}


_LINES = "ExecStart=/bin/a '%h'\nWorkingDirectory=%h/b\nEnvironment='A=x %h' B=c"


@pytest.mark.parametrize("more", ["User=ann", "[Install]\nWantedBy=multi-user.target"])
def test_the_home_in_a_unit_of_the_system_is_roots_whoever_its_user_is(more: str) -> None:
    found = exec_start(_LINES, more)

    assert found.only["command"] == ["/bin/a", "/root"]
    assert found.only["cwd"] == "/root/b"
    assert found.only["env"] == {"A": "x /root", "B": "c"}
    assert found.notes == [
        "d/backup.service:2: %h is /root, as in each unit of the system, whoever its User= is"
    ]


@pytest.mark.parametrize("more", ["", "[Install]\nWantedBy=default.target"])
def test_the_home_in_a_unit_of_a_user_is_put_in_by_a_shell(more: str) -> None:
    found = exec_start(_LINES, more)

    assert found.only["command"] == 'export A=\'x \'"${HOME}"\n/bin/a "${HOME}"'
    assert found.only["env"] == {"B": "c"}
    assert found.notes[0].startswith("d/backup.service:2: %h is ${HOME}, the home of whom the job")
    assert found.notes[1].startswith("d/backup.service:3: WorkingDirectory=%h/b: write 'cwd'")


@pytest.mark.parametrize(
    ("folder", "command"),
    [
        ("/etc/systemd/system", ["/bin/a", "/root", "/etc"]),
        ("/home/ann/.config/systemd/user", '/bin/a "${HOME}" "${HOME}"/.config'),
        ("/home/user", '/bin/a "${HOME}" /etc'),
    ],
)
def test_whose_a_unit_is_is_seen_by_its_folder(folder: str, command: object) -> None:
    found = imported(
        "[Timer]\nOnCalendar=daily\n",
        name=f"{folder}/a.timer",
        beside={f"{folder}/a.service": "[Service]\nExecStart=/bin/a %h %E\n"},
    )
    assert found.only["command"] == command


def test_notes_name_the_file_of_a_template_and_the_folder_that_it_is_in() -> None:
    text = "[Service]\nExecStart=/bin/a\nNice=5\n"
    found = imported(
        "[Timer]\nOnCalendar=daily\n", name="t/a@b.timer", beside={"s/a@.service": text}
    )

    assert found.notes == ["s/a@.service:3: Nice=5: write it before the command: nice -n …"]


def test_a_description_may_have_specifiers_that_are_known() -> None:
    service = "[Unit]\nDescription=Dumps %i on %H\n[Service]\nExecStart=/bin/a\n"

    known = timer(service=service.replace("on %H", "now"), name="dump@shop")
    assert known.only["description"] == "Dumps shop now"
    assert timer(service=service, name="dump@shop").only["description"] == "A timer"


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
        (exec_start("ExecStart=/bin/a 'b"), 'd/backup.service:2: "/bin/a \'b" has no closing quot'),
        (exec_start("ExecStart=/bin/a %H"), "d/backup.service:2: %H in '%H' is systemd's"),
        (exec_start("User=x"), "d/backup.service:1: it has no ExecStart"),
        (exec_start("ExecStart=/bin/a", "ExecStart=-"), "d/backup.service:3: it has no program"),
        (
            exec_start("ExecStart=/bin/a", "Environment=B=%H"),
            "d/backup.service:3: %H in '%H' is systemd's",
        ),
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
