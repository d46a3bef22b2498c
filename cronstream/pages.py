"""The part of the settings that says who may see a process's pages.

They have no login of their own but a token: so they are served on this machine alone, unless there
is one, or a proxy in front sees to who comes.
"""

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Final, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from cronstream.access import Access
from cronstream.errors import SettingsError

#: A shorter token could be found by trying.
_LEAST_TOKEN: Final = 16
_HEADER: Final = re.compile(r"[A-Za-z0-9-]{1,100}")
_NOT_OF_A_PROXY: Final = frozenset({"authorization", "cookie", "host", "origin", "user-agent"})


class Pages(Access):
    """Where pages are served, and to whom."""

    #: Where Faust's web server listens.
    web_bind: str = "127.0.0.1"
    #: Its port; 0 takes a free one.
    web_port: Annotated[int, Field(ge=0, le=65_535)] = 0
    #: Names by which the pages may be asked for, besides this machine's own and addresses.
    web_hosts: str = ""
    #: The file that has nothing but the token that all pages but ``/health`` ask for.
    web_token_file: Path | None = None
    #: Whether a proxy with TLS is in front, which sees to who comes.
    web_behind_tls: bool = False
    #: Whether ``/table/ledgers/`` is shown.
    web_ledgers: bool = False
    #: Where ``/metrics`` and ``/health`` alone are served, to whoever asks: ``HOST`` or
    #: ``HOST:PORT``; empty: nowhere but with the other pages.
    metrics_bind: str = ""
    #: The header in which a proxy says to a console who asks, and the proxies that are believed:
    #: addresses or networks. Empty: nobody is.
    console_user_header: str = ""
    console_proxies: str = ""
    #: Days for which a console keeps runs that have ended, and how many thousand runs at most.
    console_keep_days: Annotated[int, Field(ge=1, le=3650)] = 30
    console_keep_thousands: Annotated[int, Field(ge=1, le=100_000)] = 10_000
    #: Processes by which a console catches up; 0: one for each core, 2 at most; 1: itself.
    console_projectors: Annotated[int, Field(ge=0, le=16)] = 0

    @field_validator("web_hosts")
    @classmethod
    def _check_hosts(cls, value: str) -> str:
        """Refuse what is a URL, or has a port: names alone are compared."""
        names = [name.strip().lower() for name in value.split(",") if name.strip()]
        for name in names:
            if any(c in name for c in ":/ "):
                raise ValueError(f"{name!r} is not a host's name; write names with ',' between")
        return ",".join(names)

    @field_validator("console_user_header")
    @classmethod
    def _check_header(cls, value: str) -> str:
        """Refuse what is no header, or one that browsers send of their own accord."""
        if value and not _HEADER.fullmatch(value):
            raise ValueError(f"{value!r} is no header's name; write one like X-Forwarded-User")
        if value.lower() in _NOT_OF_A_PROXY:
            raise ValueError(f"{value!r} comes from browsers; write one like X-Forwarded-User")
        return value

    @field_validator("console_proxies")
    @classmethod
    def _check_proxies(cls, value: str) -> str:
        """Refuse what is neither an address nor a network."""
        for name in filter(None, (part.strip() for part in value.split(","))):
            try:
                ipaddress.ip_network(name)
            except ValueError as error:
                raise ValueError(
                    f"{name!r} is neither an address nor a network; write them like 10.0.0.7 or "
                    "10.0.0.0/24, with ',' between"
                ) from error
        return value

    @model_validator(mode="after")
    def _check_proxy(self) -> Self:
        """Refuse one without the other: everybody, or nobody, would be believed."""
        if bool(self.console_user_header) != bool(self.proxies):
            raise ValueError(
                "CRONSTREAM_CONSOLE_USER_HEADER and CRONSTREAM_CONSOLE_PROXIES need each other: "
                "the header counts only from these addresses"
            )
        return self

    @property
    def proxies(self) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
        """The proxies that are believed."""
        parts = filter(None, (part.strip() for part in self.console_proxies.split(",")))
        return [ipaddress.ip_network(part) for part in parts]

    @field_validator("metrics_bind")
    @classmethod
    def _check_metrics_bind(cls, value: str) -> str:
        """Refuse what is no address, with or without a port."""
        if value and _address(value) is None:
            raise ValueError(f"{value!r} is no address; write HOST or HOST:PORT, as 0.0.0.0:9464")
        return value

    @property
    def metrics_address(self) -> tuple[str, int] | None:
        """Where metrics are served on their own, port 0 for a free one; None for nowhere."""
        return _address(self.metrics_bind)

    @property
    def page_hosts(self) -> frozenset[str]:
        """The names in `web_hosts`."""
        return frozenset(filter(None, self.web_hosts.split(",")))

    def page_token(self) -> str | None:
        """Return the token that pages ask for; None if they ask for none.

        Raises:
            SettingsError: If its file cannot be read, or has none that is long enough.
        """
        if self.web_token_file is None:
            return None
        try:
            token = self.web_token_file.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is no text"
            raise SettingsError(
                f"CRONSTREAM_WEB_TOKEN_FILE: {self.web_token_file} cannot be read ({why})"
            ) from error
        if len(token) < _LEAST_TOKEN or not (token.isascii() and token.isprintable()):
            raise SettingsError(
                f"CRONSTREAM_WEB_TOKEN_FILE: {self.web_token_file} has no token of at least "
                f"{_LEAST_TOKEN} characters; make one with 'openssl rand -hex 32'"
            )
        return token

    def see_that_pages_are_guarded(self, bind: str) -> None:
        """See that whoever can reach the pages may.

        Args:
            bind: Where they are to be served.

        Raises:
            SettingsError: If anybody could see them.
        """
        if self.web_token_file is None and not self.web_behind_tls and not _is_loopback(bind):
            raise SettingsError(
                f"the pages at {bind} would be open to whoever reaches it: give a token with "
                "CRONSTREAM_WEB_TOKEN_FILE, or set CRONSTREAM_WEB_BEHIND_TLS=true if a proxy with "
                "TLS in front sees to who comes, or listen on 127.0.0.1 (CRONSTREAM_WEB_BIND)"
            )


def _address(bind: str) -> tuple[str, int] | None:
    """Return the host and the port (0 if it has none) of an address; None if it is none."""
    try:
        parts = urlsplit(f"//{bind}")
        port = parts.port or 0
    except ValueError:
        return None
    is_whole = not (parts.path or parts.query or parts.fragment or parts.username)
    return (parts.hostname, port) if parts.hostname and is_whole else None


def _is_loopback(bind: str) -> bool:
    try:
        return ipaddress.ip_address(bind).is_loopback
    except ValueError:
        return bind == "localhost"
