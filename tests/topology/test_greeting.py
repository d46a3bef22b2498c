"""What is said of a broker's certificate; the rest of it needs a Kafka, and has one."""

import asyncio
import ssl
from pathlib import Path

import pytest

from chaos.certificates import Authority
from cronstream.access import Access
from cronstream.errors import AccessError, SetupError
from cronstream.topology.greeting import greet

_WITHIN_S = 20.0


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.new(tmp_path_factory.mktemp("certificates") / "authority")


async def _told(certificate: Path, authority: Authority) -> str:
    """Return what whoever comes is told of one who shows this certificate, and hangs up then."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0, ssl=context) as server:
        address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        access = Access(broker=address, broker_security="tls", broker_ca=authority.certificate)
        with pytest.raises((AccessError, SetupError)) as raised:
            await greet(access, address, _WITHIN_S)
        await asyncio.sleep(0.1)  # until both ends are closed
    return str(raised.value)


async def test_a_certificate_that_has_expired_is_told(authority: Authority) -> None:
    said = await _told(authority.issue("expired", days=-1), authority)

    assert said.endswith("is not valid today: renew it, or set this machine's clock")


async def test_a_certificate_for_another_name_is_told(authority: Authority) -> None:
    said = await _told(authority.issue("another", host="DNS:kafka.example.org"), authority)

    assert "is not for that name (IP address mismatch" in said


async def test_one_who_shows_a_good_certificate_and_hangs_up_may_want_a_login(
    authority: Authority,
) -> None:
    said = await _told(authority.issue("good"), authority)

    assert said.endswith("asks for a login, set CRONSTREAM_BROKER_SECURITY to sasl-tls (it is tls)")
