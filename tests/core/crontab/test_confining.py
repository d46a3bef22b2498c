"""What a crontab says of secrets, users and limits, and what is told of a mistake in it."""

import pytest

from cronstream.core.crontab.parser import parse_crontab
from cronstream.core.wire.runs import Job
from cronstream.errors import CrontabError


def the_job(text: str) -> Job:
    head = 'version: 1\nclusters: [a]\njobs:\n  - {name: it, cluster: a, schedule: "@daily",'
    return parse_crontab(f"{head} command: x, {text}}}\n").jobs[0]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("env: {T: {file: token}}", "env.T has file 'token', which is not absolute; begin it with"),
        ("env: {T: {from: 'a=b'}}", "env.T has from 'a=b', which is not a name for a variable"),
        (
            "env: {T: {from: CRONSTREAM_BROKER_USER}}",
            "env.T has from 'CRONSTREAM_BROKER_USER', which sets the worker; no job gets that",
        ),
        ("env: {T: {vault: x}}", "env.T is a mapping, and a variable is text, or says where its"),
        ("env: {T: {file: /a, from: B}}", "env.T is a mapping, and a variable is text"),
        ("env: {T: {}}", "env.T is a mapping, and a variable is text"),
        ("umask: 27", 'umask 27 must be three octal digits in quotes, like "027"'),
        ('umask: "888"', "umask '888' must be three octal digits"),
        ("user: [a]", "user is not a user; write a name or a number"),
        ("user: a b", "user 'a b' is not a user"),
        ("limits: {memory: much}", "limits.memory 'much' is not a size; write it like 512M or 2G"),
        ("limits: {memory: 0}", "limits.memory 0 is out of range; it goes from 1 byte to 4096T"),
        ("limits: {memory: true}", "limits.memory true is not a size"),
        ("limits: {files: 3}", "limits.files 3 is too small; at least 8"),
        ("limits: {cpu: 0}", "limits.cpu 0 must be longer than 0s"),
        ("limits: {filez: 9}", "key 'limits.filez' is not known; did you mean 'limits.files'?"),
    ],
)
def test_a_mistake_is_told_with_what_to_do(text: str, why: str) -> None:
    with pytest.raises(CrontabError) as raised:
        the_job(text)
    assert why in str(raised.value)


@pytest.mark.parametrize(
    ("written", "size"), [("1", 1), ("512M", 512 << 20), ("2G", 2 << 30), (4096, 4096)]
)
def test_a_size_is_bytes_or_has_a_unit(written: object, size: int) -> None:
    confinement = the_job(f"limits: {{memory: {written}}}").confinement
    assert confinement is not None
    assert confinement.memory_bytes == size


def test_a_user_may_be_a_number_and_what_says_nothing_is_nothing() -> None:
    confinement = the_job("user: 1000").confinement
    assert confinement is not None
    assert confinement.user == "1000"
    assert the_job("limits: {}, env: {}") == the_job("")
    assert the_job("").confinement is None
