"""A Faust app as this application needs it: what is read, kept and served is fitted.

It takes a role once, before anything is declared in it, since that fixes the app's id.
"""

import socket
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import faust
from faust.exceptions import AlreadyConfiguredWarning
from yarl import URL

from cronstream.core.wire.naming import Role
from cronstream.fitted.to_faust.configuration import Boot, configure
from cronstream.fitted.to_faust.consuming import RightsTransport
from cronstream.fitted.to_faust.web import BoundWeb, bind_metrics, bind_web
from cronstream.json_lines import describe
from cronstream.logs import logging_config
from cronstream.metrics.exposition import Metrics
from cronstream.page_guard import PageGuard
from cronstream.settings import Settings, make_data_folder, settings
from cronstream.topology.changelog import Changelog


class App(faust.App):
    """A Faust app that has one role in each process."""

    BootStrategy = Boot
    #: What this process does; None until an option or a variable has said so.
    role: Role | None = None
    #: How many partitions each topic has that this role needs, by its name.
    known_partitions: Mapping[str, int] = MappingProxyType({})
    #: Whether it has decided itself that this process ends; its status is 1 then.
    has_failed = False
    #: Where its pages are going to be served; None before it is bound, and once they are.
    web_socket: socket.socket | None = None
    #: Who may see them; None before it is bound.
    page_guard: PageGuard | None = None
    #: The address of its pages, if nobody has asked for their port.
    chosen_address = ""
    #: Where its metrics are served on their own; None for nowhere.
    metrics_socket: socket.socket | None = None
    #: What it tells Prometheus.
    metrics: Metrics
    settings: Settings
    #: Keeps the rows of its tables.
    changelog: Changelog

    def configure_for(self, role: Role, **chosen: Any) -> None:
        """Be configured for a role; `chosen` are settings that a person has given otherwise."""
        self.role, self.settings = role, settings().model_copy(update=chosen)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AlreadyConfiguredWarning)
            configure(self.conf, role, self.settings)
        self.changelog, self.metrics = Changelog(self.settings), Metrics()

    def fail(self, reason: str) -> None:
        """End this process in good order: it can no longer do what it is there for."""
        raise NotImplementedError

    def log_topic(self, name: str, partitions: int) -> Any:
        """Return a topic of ours, to be read as raw bytes."""
        return self.topic(
            name,
            key_type=bytes,
            value_type=bytes,
            value_serializer="raw",
            partitions=partitions,
            internal=True,
        )

    def log_to(self, level: str | int, logfile: str | None) -> None:
        """Say where log lines go, and from which level on."""
        if self.role is not None:
            describe(self.role)
        self.conf.logging_config = logging_config(self.settings, level, logfile, self.role)

    def make_data_folder(self) -> None:
        """Make Faust's data folder, with those above it: Faust makes only the last one.

        Raises:
            SettingsError: If this user may not.
        """
        make_data_folder(Path(self.conf.datadir))

    def open_web(self, port: int | None, host: str | None) -> None:
        """Bind the web port: the one that is asked for, here or in the settings, or a free one.

        Args:
            port: As it was asked for on the command line.
            host: The name by which other processes reach this one; likewise.

        Raises:
            SettingsError: If it is in use, or the pages would be open to anybody.
        """
        if not self.conf.web_enabled or self.conf.web_transport.scheme != "tcp":
            return
        bind, wanted = self.conf.web_bind, port or self.settings.web_port
        self.settings.see_that_pages_are_guarded(bind)
        hosts, token = {*self.settings.page_hosts, bind, host or bind}, self.settings.page_token()
        hidden = () if self.settings.web_ledgers else ("/table/ledgers",)
        self.page_guard = PageGuard(hosts, token, hidden)
        self.web_socket = bind_web(bind, wanted, self.role or Role.of(None, retry=False))
        self.conf.web_port = self.web_socket.getsockname()[1]
        self.conf.canonical_url = URL(f"http://{host or bind}:{self.conf.web_port}")
        self.chosen_address = "" if wanted else str(self.conf.canonical_url)

    def open_metrics(self) -> None:
        """Bind where metrics are served on their own, if the settings say so.

        Raises:
            SettingsError: If it is in use.
        """
        if (address := self.settings.metrics_address) is not None:
            self.metrics_socket = bind_metrics(*address)

    def _new_transport(self) -> Any:
        return RightsTransport(self.conf.broker_consumer, self)

    def _new_web(self) -> BoundWeb:
        return BoundWeb(self)
