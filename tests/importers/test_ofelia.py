"""Ofelia's jobs, of its configuration and of labels."""

import pytest

from tests.importers.imported import Imported, imported

INI = """\
[global]
slack-webhook = https://hooks.example.com/x

; a comment
[job-exec "flush logs"]
schedule = 0 30 2 * * *  # half past two
container = nginx
command = bash -c 'a "b" \\"c\\"'
user = www-data
environment = A=1
environment = B=2
no-overlap = true
save-folder = /tmp

[job-run "print"]
schedule = @every 1h30m
image = alpine:latest
command = touch /tmp/x
volume = /tmp:/tmp:ro
network = back

[job-run"start"]
schedule = "0 0 * * *"
container = it

[job-local "here"]
schedule = 0,20 * * * *
command = ./run 'a b'
dir = /srv
env = A=1
"""


def test_its_configuration_is_jobs_that_do_what_ofelia_does() -> None:
    found = imported(INI)

    assert {name: job["command"] for name, job in found.said.items()} == {
        "flush-logs": [
            *("docker", "exec", "--user", "www-data", "--env", "A=1", "--env", "B=2", "nginx"),
            *("bash", "-c", 'a b "c"'),
        ],
        "print": [
            *("docker", "run", "--rm", "--user", "root", "--network", "back"),
            *("--volume", "/tmp:/tmp:ro", "alpine:latest", "touch", "/tmp/x"),
        ],
        "start": ["docker", "start", "--attach", "it"],
        "here": ["./run", "a b"],
    }
    assert found.said["flush-logs"]["schedule"] == "0 30 2 * * *".removeprefix("0 ")
    assert found.said["flush-logs"]["overlap"] == "skip"
    assert found.said["print"]["schedule"] == "@every 1h30m"
    assert found.said["here"]["cwd"] == "/srv"
    assert found.said["here"]["env"] == {"A": "1"}


def test_messages_and_docker_are_noted_at_their_lines() -> None:
    notes = imported(INI).notes

    assert notes[0].startswith("f:2: slack-webhook is about messages")
    assert notes[2].startswith("f:8: command: the file's own syntax takes double quotes away")
    assert "f:5: it needs docker, and the right to use it, on its workers" in notes
    assert any(note.startswith("f:13: save-folder is about messages") for note in notes)


COMPOSE = """\
services:
  app:
    labels:
      ofelia.enabled: "true"
      ofelia.job-exec.migrate.schedule: "@daily"
      ofelia.job-exec.migrate.command: "./migrate --to $$HOME"
  db:
    container_name: shop-db
    labels:
      - ofelia.enabled=true
      - ofelia.job-exec.dump.schedule=0 0 3 * * *
      - ofelia.job-exec.dump.command=pg_dump shop
      - ofelia.job-exec.dump.no-overlap=true
  ofelia:
    labels:
      ofelia.job-run.tag.schedule: "0 0 3 * * *"
      ofelia.job-run.tag.image: tagger:${VERSION}
      ofelia.job-run.tag.command: tag --key ${KEY}
      ofelia.job-run.tag.volume: '["/a:/a", "/b:/b"]'
      ofelia.smtp-host: mail
"""


def test_labels_of_a_compose_file_are_jobs_in_their_containers() -> None:
    found = imported(COMPOSE)

    assert found.said["migrate"]["command"] == [
        *("docker", "compose", "exec", "-T", "--user", "root", "app", "./migrate", "--to", "$HOME")
    ]
    assert found.said["dump"]["command"] == [
        *("docker", "exec", "--user", "root", "shop-db", "pg_dump", "shop")
    ]
    assert found.said["dump"]["overlap"] == "skip"
    assert found.said["tag"]["command"][5:9] == ["--volume", "/a:/a", "--volume", "/b:/b"]
    said = " ".join(found.notes)
    assert "f:5: it needs docker, and the right to use it, and 'cwd'" in said
    assert "variable of compose's" in said
    assert "f:20: ofelia.smtp-host is about messages" in said


SERVICE = """\
services:
  %s:
    image: %s
    labels:
      - ofelia.%s.a.schedule=@daily
      - ofelia.%s.a.command=a
      - ofelia.%s.a.image=b
      %s
"""
_NOT_ENABLED = "do not have ofelia.enabled=true, so Ofelia does not run it; it is carried over as"


def service(kind: str, label: str = "", name: str = "app", image: str = "shop") -> Imported:
    item = f"- {label}" if label else ""
    return imported(SERVICE % (name, image, kind, kind, kind, item))


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (service("job-exec"), f"f:5: the labels of 'app' {_NOT_ENABLED} paused"),
        (service("job-exec", "ofelia.enabled=false"), f"f:8: the labels of 'app' {_NOT_ENABLED}"),
        (service("job-exec", "ofelia.enabled=${X}"), f"f:8: the labels of 'app' {_NOT_ENABLED}"),
        (service("job-local"), f"f:5: the labels of 'app' {_NOT_ENABLED}"),
        (
            service("job-run", "ofelia.enabled=false", "ofelia", "mcuadros/ofelia:latest"),
            f"f:8: the labels of 'ofelia' {_NOT_ENABLED}",
        ),
        (
            service("job-run", "ofelia.enabled=true"),
            "f:5: a job-run has to stand at Ofelia's own service, and not at 'app', so Ofelia",
        ),
    ],
)
def test_a_job_that_ofelia_does_not_run_is_paused_by_the_file(found: Imported, said: str) -> None:
    assert found.only["enabled"] is False
    assert any(note.startswith(said) for note in found.notes), found.notes


@pytest.mark.parametrize(
    "found",
    [
        service("job-exec", "ofelia.enabled=true"),
        service("job-local", name="cron", image="mcuadros/ofelia:v0.3"),
        service("job-run", name="ofelia", image="mine"),
        service("job-run", "ofelia.enabled=true\n      - ofelia.service=true"),
    ],
)
def test_a_job_that_ofelia_runs_is_not_paused(found: Imported) -> None:
    assert "enabled" not in found.only


def test_a_section_that_is_no_job_of_ofelias_is_noted_at_its_line() -> None:
    found = imported('[job-local "a"]\nschedule = @daily\ncommand = a\n[job-weird "x"]\n[extra]\n')

    assert found.lost == ['f:4: [job-weird "x"] is no job that Ofelia knows; it is left out']
    assert found.notes == ["f:5: [extra] is no job that Ofelia knows; it is left out"]


def test_names_of_sections_may_be_in_capitals() -> None:
    assert imported('[Job-Local "a"]\nschedule = @daily\ncommand = a\n').said


def test_a_label_that_is_no_jobs_is_noted_at_its_line() -> None:
    notes = service("job-exec", "ofelia.job-weird.a.schedule=@daily").notes
    said = "f:8: ofelia.job-weird.a.schedule is no label of a job that Ofelia knows; it is left out"
    assert said in notes


def test_what_a_job_says_and_no_command_can_is_noted_at_its_line() -> None:
    found = imported('[job-run "a"]\nschedule = @daily\nimage = a\nvolumes-from = b\n')
    assert "f:4: volumes-from is not carried over" in found.notes


@pytest.mark.parametrize(
    ("job", "said"),
    [
        ('[job-service-run "x"]\nschedule = @daily\nimage = a', "a service of a swarm"),
        ('[job-exec "x"]\nschedule = @daily\ncommand = a', "f:2: it has no command, or no con"),
        ('[job-local "x"]\nschedule = @daily', "it has no command"),
        ('[job-local "x"]\ncommand = a', "f:1: it has no schedule"),
        ('[job-local "x"]\nschedule = @daily\ncommand = a \'b', "f:3: its command has no closing"),
        ('[job-local "x"]\nschedule = @every x\ncommand = a', "f:2: schedule '@every x' has no"),
        ('[job-local "x"]\nschedule = @sometimes\ncommand = a', "is not a known nickname"),
    ],
)
def test_what_no_command_can_do_is_left_out(job: str, said: str) -> None:
    found = imported(job)

    assert not found.said
    assert said in found.lost[0]


def test_a_file_without_a_job_says_so() -> None:
    assert imported("services: {a: {image: b}}", "ofelia").notes == [
        "f:1: there is no job of Ofelia's in it"
    ]


def test_lengths_of_go_are_rounded_as_robfigs_cron_does() -> None:
    text = '[job-local "x"]\nschedule = @every %s\ncommand = a'
    assert imported(text % "1500ms").only["schedule"] == "@every 1s"
    assert imported(text % "1.5h").only["schedule"] == "@every 1h30m"
