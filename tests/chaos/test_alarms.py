from chaos.alarms import Alarm, alarms_of, raised, unexplained
from chaos.plan import FaultKind, Target
from tests.chaos.evidence import DUE, after, an_incident


def an_alarm(name: str, at_s: float) -> Alarm:
    return Alarm(name, "cluster=a", after(at_s), after(at_s + 10))


def test_an_alert_that_a_fault_is_to_raise_is_its() -> None:
    kill = an_incident(at_s=0, lasts_s=3)
    alarms = [an_alarm("RunsLate", 8), an_alarm("RunsLate", 30), an_alarm("ProcessDown", 5)]

    assert raised(alarms, [kill]) == {"kill worker": ["ProcessDown (1)", "RunsLate (2)"]}
    assert list(unexplained(alarms, [kill])) == []


def test_an_alert_that_no_fault_is_to_raise_is_told() -> None:
    disk = an_incident(FaultKind.DISK, Target.WORKER, at_s=0)

    [told] = unexplained([an_alarm("RunsLate", 5)], [disk])

    assert told == "the alert RunsLate (cluster=a) was on after full disk of worker"


def test_an_alert_long_after_a_fault_or_before_it_is_not_of_it() -> None:
    kill = an_incident(at_s=0, lasts_s=3)
    alarms = [an_alarm("RunsLate", -5), an_alarm("RunsLate", 64)]

    told = list(unexplained(alarms, [kill]))

    assert told == ["the alert RunsLate (cluster=a) was on though nothing had been done"] * 2
    assert raised(alarms, [kill]) == {}


def test_what_the_jobs_raise_by_themselves_needs_no_fault() -> None:
    names = ("Watchdog", "RunsDiscarded", "CrontabDiverged")

    assert list(unexplained([an_alarm(name, 0) for name in names], [])) == []


def test_a_broker_may_raise_what_stands_still_without_it() -> None:
    kill = an_incident(FaultKind.BROKER, Target.BROKER, at_s=0)
    alarms = [an_alarm(name, 12) for name in ("KafkaAway", "SchedulerSilent", "NoWorkers")]

    assert list(unexplained(alarms, [kill])) == []
    assert list(unexplained([an_alarm("JobStuck", 12)], [kill])) != []


def test_a_cluster_is_without_workers_only_by_what_struck_two_of_them() -> None:
    alarm = an_alarm("NoWorkers", 8)
    one, again = (an_incident(process=f"a-1.{life}") for life in (1, 2))
    other = an_incident(process="a-2.1")
    elsewhere = an_incident(process="b-1.1", cluster="b")

    assert list(unexplained([alarm], [one, again, elsewhere])) != []
    assert list(unexplained([alarm], [one, other])) == []
    assert raised([alarm], [one, other]) == {"kill worker": ["NoWorkers (1)"]}


def test_what_prometheus_says_of_alerts_becomes_the_times_when_they_were_on() -> None:
    begin = DUE.timestamp()
    labels = {"alertname": "CronstreamNoWorkers", "cluster": "a", "role": "worker", "job": "x"}
    moments = [*range(5), *range(20, 22)]
    series = [{"metric": labels, "values": [[begin + moment, "1"] for moment in moments]}]

    assert alarms_of(series, 1.0) == (
        Alarm("NoWorkers", "cluster=a, role=worker", after(0), after(4)),
        Alarm("NoWorkers", "cluster=a, role=worker", after(20), after(21)),
    )
    assert alarms_of([], 1.0) == ()
