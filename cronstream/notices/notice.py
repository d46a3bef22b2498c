"""A notice: what somebody is to hear of a run, and the request by which they do."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from urllib.parse import urlencode, urlsplit, urlunsplit
from uuid import NAMESPACE_URL, uuid5

from cronstream.system import version

#: Healthchecks keeps the first so many bytes of a body (its ``Ping-Body-Limit``).
MOST_BYTES: Final = 100_000
#: How Sentry calls what happens to a run; what it does not know it is not sent.
_STATUS: Final = {"start": "in_progress", "success": "ok", "fail": "error"}


class Kind(StrEnum):
    """Who is sent it, and how."""

    HEALTHCHECKS = "healthchecks"
    SENTRY = "sentry"
    ON_SUCCESS = "on_success"
    ON_DISCARD = "on_discard"

    @property
    def schemes(self) -> tuple[str, ...]:
        """What an address may begin with."""
        is_ping = self in (Kind.HEALTHCHECKS, Kind.SENTRY)
        return ("https", "http") if is_ping else ("https", "http", "smtps", "smtp")


@dataclass(frozen=True, slots=True)
class Notice:
    """What is to be sent.

    Attributes:
        run: The run's id.
        place: Where the address is, as a run carries it: ``file:…`` or ``from:…``.
        event: Of a ping ``start``, ``success``, ``log`` (an attempt has failed, and another
            follows) or ``fail``; of a webhook the verdict.
        exit_status: Of the attempt that has ended, 1 to 255, with ``fail``.
        ident: Of a webhook's, by which its receiver knows a double.
    """

    kind: Kind
    job: str
    run: str
    place: str
    event: str
    exit_status: int | None = None
    body: bytes = b""
    ident: str = ""

    @property
    def lane(self) -> tuple[Kind, str]:
        """What it may not overtake: others of its run to the same address."""
        return self.kind, self.run


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it is sent."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


def request_of(notice: Notice, address: str) -> Request:
    """Return the request by which a notice is sent to an address.

    What belongs together has the same id: it follows from the run and the address, so that whoever
    makes a later attempt sends the same, and two installations that share a monitor do not.
    """
    ident = str(uuid5(uuid5(NAMESPACE_URL, address), notice.run))
    headers = {"User-Agent": f"cronstream/{version()}"}
    if notice.kind in (Kind.ON_SUCCESS, Kind.ON_DISCARD):
        headers |= {"Content-Type": "application/json", "Idempotency-Key": f'"{notice.ident}"'}
        return Request("POST", address, headers, notice.body)
    if notice.kind is Kind.SENTRY:
        query = {"check_in_id": ident, "status": _STATUS[notice.event]}
        return Request("GET", _extended(address, query), headers)
    ending = {"start": "/start", "success": "", "log": "/log"}.get(notice.event)
    if ending is None:
        ending = "/fail" if notice.exit_status is None else f"/{notice.exit_status}"
    headers["Content-Type"] = "text/plain; charset=utf-8"
    return Request("POST", _extended(address, {"rid": ident}, ending), headers, notice.body)


def _extended(address: str, query: Mapping[str, str], ending: str | None = None) -> str:
    """Return an address with more in its query, and, if one is given, with an end of its path."""
    parts = urlsplit(address)
    path = parts.path if ending is None else parts.path.rstrip("/") + ending
    both = "&".join(filter(None, (parts.query, urlencode(query))))
    return urlunsplit((parts.scheme, parts.netloc, path, both, ""))
