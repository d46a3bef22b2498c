"""An address is a secret: it is read anew each time, and no sentence has anything of it."""

import asyncio
import threading
from pathlib import Path

import pytest

from cronstream.notices import address as module
from cronstream.notices.address import AddressError, Addresses
from cronstream.notices.notice import Kind, Notice


def a_notice(place: str, job: str = "backup", kind: Kind = Kind.HEALTHCHECKS) -> Notice:
    return Notice(kind, job, f"{job}@1", place, "start")


@pytest.fixture
def addresses() -> Addresses:
    return Addresses({"HC": "https://hc.example.org/{job}", "BAD": "secret words"})


async def test_it_is_in_a_file_or_a_variable_and_is_read_each_time(
    addresses: Addresses, tmp_path: Path
) -> None:
    file = tmp_path / "address"
    file.write_text("https://hc.example.org/1\n")
    assert await addresses.find(a_notice(f"file:{file}")) == "https://hc.example.org/1"
    file.write_text("https://hc.example.org/2")
    assert await addresses.find(a_notice(f"file:{file}")) == "https://hc.example.org/2"


async def test_many_jobs_may_share_one(addresses: Addresses) -> None:
    assert await addresses.find(a_notice("from:HC", "a.b")) == "https://hc.example.org/a.b"


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        ("from:NONE", "NONE is not set where this worker was started"),
        ("from:BAD", "what BAD has is no address: it begins with https://"),
        ("file:/no/such/file", "/no/such/file cannot be read (No such file or directory)"),
        ("else:where", "no worker knows what 'else:where' is"),
    ],
)
async def test_where_there_is_none_a_sentence_says_where(
    addresses: Addresses, place: str, sentence: str
) -> None:
    with pytest.raises(AddressError) as caught:
        await addresses.find(a_notice(place))

    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    "text", ["ftp://secret/x", "https:///secret", "http://[secret", "http://a:b/\nX: y", "\0", "é"]
)
async def test_what_is_no_address_is_not_shown(text: str, tmp_path: Path) -> None:
    file = tmp_path / "address"
    file.write_bytes(text.encode("latin-1"))

    with pytest.raises(AddressError) as caught:
        await Addresses({}).find(a_notice(f"file:{file}"))

    assert "secret" not in str(caught.value).removeprefix(f"what {file}")


async def test_a_file_system_that_hangs_is_waited_for_once_at_a_time(
    addresses: Addresses, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads, is_over = [], threading.Event()

    def hang(path: str) -> bytes:
        reads.append(path)
        is_over.wait()
        return b"https://hc.example.org"

    monkeypatch.setattr(module, "read_file", hang)
    monkeypatch.setattr(module, "_PATIENCE_S", 0.01)
    for _ in range(3):
        with pytest.raises(AddressError, match="/hung/a: its file system does not answer"):
            await addresses.find(a_notice("file:/hung/a"))
    assert reads == ["/hung/a"]

    is_over.set()
    monkeypatch.setattr(module, "_PATIENCE_S", 5.0)
    await asyncio.gather(*addresses._stuck.values())
    assert await addresses.find(a_notice("file:/hung/a")) == "https://hc.example.org"


async def test_a_webhook_may_be_a_mail_and_a_monitor_may_not() -> None:
    addresses = Addresses({"MAIL": "smtps://u:p@mail.example.org/?from=a@b&to=c@d"})
    mail = a_notice("from:MAIL", kind=Kind.ON_DISCARD)
    assert (await addresses.find(mail)).startswith("smtps://u:p@")

    with pytest.raises(AddressError, match="MAIL has is no address: it begins with https://"):
        await addresses.find(a_notice("from:MAIL"))
    other = Addresses({"MAIL": "mailto:a@b"})
    with pytest.raises(AddressError, match="it begins with https:// or smtps://"):
        await other.find(mail)
