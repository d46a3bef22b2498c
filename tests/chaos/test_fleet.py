"""What chaos takes for well."""

import asyncio

import pytest

from chaos.fleet import health


@pytest.mark.parametrize(("status", "is_well"), [("200 OK", True), ("503 No", False)])
async def test_a_process_is_well_by_the_status_of_its_answer_whatever_it_says(
    status: str, is_well: bool
) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f'HTTP/1.0 {status}\r\n\r\n{{"reason": "not \\"healthy\\""}}'.encode())
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert await health(port) == (is_well, '{"reason": "not \\"healthy\\""}')
    assert await health(port) == (False, "no answer (ConnectionRefusedError)")
