"""What makes alerts come sooner changes what is waited for, and nothing else."""

import re

from chaos.shortened import (
    ALERTMANAGER,
    PROMETHEUS,
    RULES,
    quick_prometheus,
    shorter_routes,
    shorter_rules,
)


def test_waits_and_windows_are_divided_and_thresholds_stay() -> None:
    text = "expr: max(x) > 120 and y unless y offset 15m and rate(z[1h]) * 3600 > 2.5\nfor: 2m\n"

    assert shorter_rules(text, 20) == (
        "expr: max(x) > 120 and y unless y offset 45000ms and rate(z[180000ms]) * 180 > 2.5\n"
        "for: 6000ms\n"
    )


def test_a_window_keeps_room_for_two_samples() -> None:
    assert shorter_rules("rate(x[5m])", 1000) == "rate(x[3000ms])"


def test_no_wait_of_the_rules_is_left_as_it_was() -> None:
    for path in RULES.glob("*.yml"):
        left = shorter_rules(path.read_text(), 20)
        assert re.findall(r"\[\d+[smhd]\]|\boffset \d+[smhd]\b|\bfor: \d+[smhd]\b", left) == []


def test_by_one_the_rules_are_as_they_were() -> None:
    for path in RULES.glob("*.yml"):
        text = path.read_text()
        again = shorter_rules(text, 1)
        assert len(again.splitlines()) == len(text.splitlines())
        assert again.count("> 14.4 * 0.01") == text.count("> 14.4 * 0.01")


def test_all_receivers_of_the_routes_get_another_address() -> None:
    text = shorter_routes(ALERTMANAGER.read_text(), 20, "http://127.0.0.1:7")

    assert text.count("url: http://127.0.0.1:7/") == 3
    assert "group_wait: 1500ms" in text
    assert "group_wait: 500ms" in text
    assert "9099" not in text


def test_prometheus_looks_each_second_and_finds_the_other_alertmanager() -> None:
    text = quick_prometheus(PROMETHEUS.read_text(), "127.0.0.1:7")

    assert "scrape_interval: 1s" in text
    assert "evaluation_interval: 1s" in text
    assert '["127.0.0.1:7"]' in text
