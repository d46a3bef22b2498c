"""Each alert links to a page of its own, which says what it is, and each page is of an alert.

The commands of the pages are held against the real command line by ``tests/cli/test_docs.py``.
"""

import re
from pathlib import Path

import pytest

from tests.prometheus.rules import PROMETHEUS, RUNBOOKS, Rule, alerts, load

ALERTS = alerts()
PAGES = sorted(path for path in RUNBOOKS.glob("*.md") if path.stem != "README")
HEADINGS = ["Meaning", "Impact", "Narrow it down", "Remedy"]
_LINK = re.compile(r'\{\{ or \$externalLabels\.runbooks "docs/runbooks" \}\}/([a-z-]+)\.md')


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: f"{alert.name}-{alert.labels}")
def test_an_alert_links_to_the_page_of_its_name(alert: Rule) -> None:
    link = _LINK.fullmatch(alert.annotations["runbook_url"])

    assert link is not None
    assert link[1] == alert.page
    assert (RUNBOOKS / f"{alert.page}.md").read_text().startswith(f"# {alert.name}\n")


def test_each_page_is_of_an_alert() -> None:
    assert {page.stem for page in PAGES} == {alert.page for alert in ALERTS}


def test_the_index_has_each_alert_with_its_severity() -> None:
    index = (RUNBOOKS / "README.md").read_text()
    rows = re.findall(r"^\| \[(\w+)\]\((\S+)\.md\) \| ([a-z, ]+) \|", index, re.MULTILINE)
    said = {(name, page, severity) for name, page, all_ in rows for severity in all_.split(", ")}

    assert said == {(alert.name, alert.page, alert.labels["severity"]) for alert in ALERTS}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.stem))
def test_a_page_says_what_it_means_what_users_feel_how_to_find_out_and_what_to_do(
    page: Path,
) -> None:
    text = page.read_text()
    severities = {alert.labels["severity"] for alert in ALERTS if alert.page == page.stem}

    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == HEADINGS
    head = text.split("## Meaning")[0]
    assert set(re.findall(r"`(page|ticket|none)`", head)) == severities
    assert re.search(r"^    (cronstream|curl|kafka-topics)", text, re.MULTILINE)


def test_the_address_of_the_pages_is_set_in_one_place_and_no_label_of_an_alert() -> None:
    config = load(PROMETHEUS / "prometheus.yml")

    assert config["global"]["external_labels"] == {"runbooks": "docs/runbooks"}
    assert config["alerting"]["alert_relabel_configs"] == [
        {"action": "labeldrop", "regex": "runbooks"}
    ]
