"""A webhook whose address is a mail server's is a mail."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_string
from email.header import decode_header, make_header

import pytest

from cronstream.core.wire.enumerations import Verdict
from cronstream.notices import mail
from cronstream.notices.answer import Answer
from cronstream.notices.notice import Request
from cronstream.notices.post import Post
from cronstream.notices.verdicts import of_verdict
from tests.builders import a_run, at

QUERY = "?from=cron@example.org&to=ops@example.org,boss@example.org"


class MailServer:
    """Speaks as much SMTP as it takes to be given a mail.

    Attributes:
        says: What it answers to a command instead of 250.
        mails: What it was given.
        heard: Every command.
    """

    def __init__(self, **says: str) -> None:
        self.says = {"quit": "221 bye", **says}
        self.mails: list[str] = []
        self.heard: list[str] = []
        self.port = 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 here\r\n")
        while line := (await reader.readline()).decode().strip():
            self.heard.append(line)
            word = line.split()[0].lower()
            if word == "data":
                writer.write(b"354 go on\r\n")
                self.mails.append((await reader.readuntil(b"\r\n.\r\n")).decode())
            writer.write(f"{self.says.get(word, '250 well')}\r\n".encode())
            if word == "quit":
                break
        writer.close()


@asynccontextmanager
async def mailing(server: MailServer) -> AsyncIterator[MailServer]:
    listening = await asyncio.start_server(server.talk, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()


async def _mail(server: MailServer, who: str = "", query: str = QUERY) -> Answer:
    [notice] = of_verdict(
        a_run(on_discard="from:MAIL"), Verdict.DISCARDED, "attempt 1 failed", at(9), "<ü>\nend"
    )
    request = Request("POST", f"smtp://{who}127.0.0.1:{server.port}/{query}", {}, notice.body)
    return await Post(patience_s=5).try_once(request)


async def test_it_has_the_run_as_its_subject_and_what_was_written_in_it() -> None:
    async with mailing(MailServer()) as server:
        assert await _mail(server) == Answer()

    [text] = server.mails
    sent = message_from_string(text)
    assert str(make_header(decode_header(sent["Subject"]))) == f"discarded: {a_run().id}"
    assert (sent["From"], sent["To"]) == (
        "cron@example.org",
        "ops@example.org,boss@example.org",
    )
    assert sent["Message-ID"].endswith("@cronstream>")
    body = sent.get_payload(decode=True)
    assert isinstance(body, bytes)
    assert body.decode().splitlines()[0].startswith("cluster-a: run backup@")
    assert "<ü>\nend" in body.decode().replace("\r\n", "\n")
    assert [line for line in server.heard if line.startswith("rcpt")] == [
        "rcpt TO:<ops@example.org>",
        "rcpt TO:<boss@example.org>",
    ]


@pytest.mark.parametrize(
    ("says", "answer"),
    [
        ({"mail": "451 later"}, Answer("127.0.0.1 answered 451", is_final=False)),
        ({"mail": "550 never"}, Answer("127.0.0.1 answered 550")),
        (
            {"rcpt": "550 nobody"},
            Answer("127.0.0.1 takes no mail for whom the address names"),
        ),
    ],
)
async def test_what_a_mail_server_refuses_for_now_it_is_given_again(
    says: dict[str, str], answer: Answer
) -> None:
    async with mailing(MailServer(**says)) as server:
        assert await _mail(server) == answer


async def test_a_password_goes_to_no_server_without_tls() -> None:
    async with mailing(MailServer()) as server:
        answer = await _mail(server, "user:secret@")

    assert answer == Answer("127.0.0.1 has no TLS, and is not given a password")
    assert not any("auth" in line.lower() for line in server.heard)


async def test_what_the_address_lacks_is_said() -> None:
    async with mailing(MailServer()) as server:
        assert await _mail(server, query="?to=a@b") == Answer(
            "the address of 127.0.0.1 lacks from= or to="
        )


def test_a_server_that_is_gone_may_come_back() -> None:
    answer = mail.send(f"smtps://127.0.0.1:1/{QUERY}", b"{}", 5)

    assert not answer.is_final
    assert answer.why.startswith("127.0.0.1 cannot be reached")
