"""What people are told of a partition that takes nothing."""

from cronstream.core.planning.cursor import Place
from cronstream.scheduler.obstacles import Fault, sentences
from cronstream.scheduler.zones import Zoneless
from tests.builders import NAMES


def test_each_log_has_one_sentence_for_each_obstacle_with_its_remedy() -> None:
    unread = Zoneless("time zone", "Mars/Base", "2000a")
    found = sentences(
        NAMES,
        {
            Place("b", 0): Fault.MISSING,
            Place("a", 3): Fault.LEADERLESS,
            Place("a", 2): unread,
            Place("a", 1): Fault.LEADERLESS,
        },
    )
    aside = "what is due there is set aside until"
    leaderless = (
        f"cronstream.a takes nothing on partition 1, 3 (it has no leader): {aside} it does, and "
        "all else goes on; check the brokers of this partition"
    )
    zoneless = (
        "nothing is put on partition 2 of cronstream.a (time zone 'Mars/Base' of job 'time zone' "
        f"is not known here, by tzdata 2000a): {aside} that is read, and all else goes on; give "
        "this machine newer time zones, or let a scheduler take over that has them"
    )
    missing = (
        f"cronstream.b takes nothing on partition 0 (there is no such topic): {aside} it does, "
        "and all else goes on; start a worker of cluster b, which creates it, or take the jobs of "
        "that cluster out of the crontab"
    )
    assert found == [leaderless, zoneless, missing]
