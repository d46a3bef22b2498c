"""Who asks a console for something, and whether they may change anything."""

import ipaddress
from typing import Final, TypeAlias

from aiohttp import web

from cronstream.page_guard import name_given
from cronstream.settings import Settings

#: How long a name may be that stands on a log.
_MOST: Final = 180
_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAMELESS: Final = "somebody with the token"


class Visitors:
    """Knows people by the name that they log in with, or that a trusted proxy gives them.

    Args:
        settings: Which proxies are trusted, and in which header they name people.
        has_token: Whether pages ask for a token.

    """

    def __init__(self, settings: Settings, *, has_token: bool) -> None:
        self._header, self._proxies = settings.console_user_header, settings.proxies
        self._has_token = has_token

    def may_act(self, request: web.Request) -> bool:
        """Whether who was let in may change anything; without a token, or a proxy, nobody may."""
        return self._has_token or self.is_vouched_for(request)

    def is_vouched_for(self, request: web.Request) -> bool:
        """Whether a trusted proxy says who asks."""
        return bool(self._proxied(request))

    def who(self, request: web.Request) -> str:
        """Return who asks, as it is to stand on Kafka."""
        name = self._proxied(request) or name_given(request).strip() or _NAMELESS
        # A proxy may write names in another encoding: what is no UTF-8 cannot stand on Kafka.
        readable = name.encode(errors="surrogateescape").decode(errors="replace")
        return f"{readable[:_MOST]} (console)"

    def _proxied(self, request: web.Request) -> str:
        if not self._header:
            return ""
        # Two of them are one too many: the proxy has passed on what somebody has made up.
        names = request.headers.getall(self._header, [])
        return names[0].strip() if len(names) == 1 and self._is_proxy(request.remote) else ""

    def _is_proxy(self, remote: str | None) -> bool:
        try:
            address: _Address = ipaddress.ip_address(remote or "")
        except ValueError:
            return False
        if isinstance(address, ipaddress.IPv6Address):
            address = address.ipv4_mapped or address
        return any(address in network for network in self._proxies)
