"""Where the address of a notice is: like any secret in a file, or in the worker's environment.

Who knows the address of a monitor or of a chat may write there, so it stands in no message.
"""

import asyncio
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, urlsplit

from cronstream.core.wire.variables import Secret
from cronstream.executor.secrets import read_file
from cronstream.notices.notice import Notice

#: What stands for the job's name in an address that several jobs have.
JOB: Final = "{job}"
#: Seconds that a file gets: its file system may hang.
_PATIENCE_S: Final = 2.0


class AddressError(Exception):
    """There is no address where one was said to be; the sentence has nothing of it."""


class Addresses:
    """Reads addresses, anew for each notice: one that was changed is the new one.

    Args:
        variables: The worker's own environment, without its settings.
    """

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        #: Reads that have not come to an end, by folder: nobody else is made to wait there.
        self._stuck: dict[str, asyncio.Future[bytes]] = {}

    async def find(self, notice: Notice) -> str:
        """Return the address of a notice.

        Raises:
            AddressError: If there is none.
        """
        secret, schemes = Secret.of(notice.place), notice.kind.schemes
        text = (await self._read(secret)).strip()
        try:
            parts = urlsplit(text)
            is_good = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
        except ValueError:
            is_good = False
        if not is_good or not text.isprintable() or " " in text:
            begins = " or ".join(f"{scheme}://" for scheme in schemes[::2])
            raise AddressError(f"what {secret.place} has is no address: it begins with {begins}")
        return text.replace(JOB, quote(notice.job, safe=""))

    async def _read(self, secret: Secret) -> str:
        if secret.kind == "from":
            if secret.place not in self._variables:
                raise AddressError(f"{secret.place} is not set where this worker was started")
            return self._variables[secret.place]
        if secret.kind != "file":
            raise AddressError(f"no worker knows what '{secret}' is")
        try:
            return (await self._file(secret.place)).decode()
        except TimeoutError:
            raise AddressError(f"{secret.place}: its file system does not answer") from None
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "what is in it is no text of an address"
            raise AddressError(f"{secret.place} cannot be read ({why})") from error

    async def _file(self, path: str) -> bytes:
        folder = path.rpartition("/")[0]
        if folder in self._stuck and not self._stuck[folder].done():
            raise TimeoutError
        reading = asyncio.get_running_loop().run_in_executor(None, read_file, path)
        done, _ = await asyncio.wait([reading], timeout=_PATIENCE_S)
        if not done:
            self._stuck[folder] = reading
            raise TimeoutError
        self._stuck.pop(folder, None)
        return reading.result()
