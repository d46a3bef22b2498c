"""Names for jobs: from what they run, each once, and the same at each import."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronstream.importers.found import FoundJob
from cronstream.importers.names import named, titles_of


@pytest.mark.parametrize(
    ("command", "title"),
    [
        ("/usr/local/bin/backup.sh --full", "backup"),
        ("cd /var/www && php artisan schedule:run >> /dev/null 2>&1", "artisan-schedule:run"),
        (
            "test -x /usr/sbin/anacron || ( cd / && run-parts --report /etc/cron.daily )",
            "run-parts-cron.daily",
        ),
        ("sudo -u www-data nice -n 10 ./sync", "sync"),
        ("A=1 B='2 3' /bin/report", "report"),
        ("flock -n /tmp/lock -c 'python3 -m shop.import --all'", "shop.import"),
        ("flock -w 10 /tmp/lock /bin/run", "run"),
        ("timeout 5m env X=1 ./a.py", "a"),
        ("/bin/bash -c 'sleep 10' && /usr/bin/python -m tool update", "tool"),
        ("bash -lc './x.sh'", "x"),
        ("node --import tsx server/sync.ts >> /var/log/x", "sync"),
        ("java -jar /opt/shop.jar run", "shop.jar"),
        ("certbot -q renew", "certbot-renew"),
        (". /data/x.sh", "x"),
        (
            r"test -x /usr/bin/certbot -a \! -d /run && perl -e 'sleep rand 9' && certbot -q renew",
            "certbot-renew",
        ),
        ('python3 -c "import time; time.sleep(random.random() * 3600)" && /bin/x', "x"),
        ("perl -e 'sleep 1'", "perl"),
        ("perl -e 'print 1' && /bin/x", "perl"),
        ("[ -x /bin/x ] && [ -d /srv ] || exit 0; /bin/x y", "x"),
        ("sleep $((RANDOM % 60)); cd /srv && nice -n 10 ionice -c idle /bin/x", "x"),
        ("ionice -c2 -n7 timeout -s KILL 10m /bin/x", "x"),
        ("if [ -x /bin/x ]; then A=1 /bin/x; fi", "x"),
        ("for n in 1 2; do /bin/x; done", "x"),
        ("(cd /srv; /bin/x )", "x"),
        ("flock -xn /tmp/lock sh -c 'cd /srv && /bin/x'", "x"),
        ("flock /tmp/lock -w 5 /bin/x", "x"),
        ("bash -c 'cd /srv; /bin/x'", "x"),
        ("su - postgres -c 'cd /srv && pg_dump shop'", "pg_dump"),
        ("echo 'a; b' && /bin/x", "echo"),
        ("''", "job"),
        ("sleep 5", "sleep"),
        ("echo 'it", "echo"),
        ("%", "%"),
        ("", "job"),
    ],
)
def test_a_command_is_named_after_what_it_is_about(command: str, title: str) -> None:
    assert titles_of(command)[0] == title


def job(title: str, longer: str = "", **settings: object) -> FoundJob:
    return FoundJob("f", 1, title, longer, dict(settings))


def names(*jobs: FoundJob) -> list[str]:
    return [name for name, _ in named(jobs)]


def test_those_of_one_name_are_called_by_more_of_what_they_run() -> None:
    assert names(job("deploy", "deploy-up"), job("deploy", "deploy-down")) == [
        "deploy-up",
        "deploy-down",
    ]


def test_those_that_run_the_same_have_a_hash_that_does_not_depend_on_their_order() -> None:
    one, two = job("a", "a", schedule="1 * * * *"), job("a", "a", schedule="2 * * * *")

    assert names(one, two) == names(two, one)[::-1]
    assert names(one, two) == names(one, two, job("b"))[:2]
    assert len(set(names(one, two))) == 2


def test_the_very_same_twice_is_counted() -> None:
    first, second = names(job("a"), job("a"))
    assert second == f"{first}-2"


@given(st.lists(st.tuples(st.text(max_size=4), st.text(max_size=3)), max_size=6))
def test_names_are_good_and_each_is_there_once(titles: list[tuple[str, str]]) -> None:
    found = names(*(job(title, longer) for title, longer in titles))

    assert len(set(found)) == len(found)
    assert all(name[0].isascii() and name[0].isalnum() for name in found)


@given(st.text(max_size=30))
def test_any_command_has_a_title(command: str) -> None:
    short, _ = titles_of(command)
    assert short
