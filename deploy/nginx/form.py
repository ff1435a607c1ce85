"""What differs between one edge and another, checked before it is written down."""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, fields

_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\])"
_NAME = re.compile(_HOST)
_ADDRESS = re.compile(rf"{_HOST}:[0-9]{{1,5}}")
_ORIGIN = re.compile(rf"https?://{_HOST}(?::[0-9]{{1,5}})?")
_PATH = re.compile(r"[^\"'\\$;{}\x00-\x1f\x7f]+")
_NETWORK = re.compile(r"[0-9A-Fa-f.:/]+")  # no zone: that could be any text
_WORD = re.compile(r"[a-z][a-z0-9-]*")
_LONGEST_DEADLINE_SECONDS = 60
_REQUESTS_PER_ADDRESS = 256  # below a service's share of the gateway's places
_TRANSFERS_PER_ADDRESS = 512


class EdgeFormError(ValueError):
    """A value that must not get into a configuration file.

    Attributes:
        code: Stable slug.
    """

    code = "edge_form_invalid"

    def __init__(self, name: str, value: object) -> None:
        super().__init__(f"{name}: {value!r} is not allowed here")


@dataclass(frozen=True)
class Deadlines:
    """How long a silent client is waited for (security requirements HT-2).

    Attributes:
        header_seconds: For the whole header.
        body_seconds: Between two reads of a body.
        send_seconds: Between two writes of an answer.
        idle_seconds: Between two requests of a connection.
    """

    header_seconds: int = 10
    body_seconds: int = 5
    send_seconds: int = 10
    idle_seconds: int = 5


@dataclass(frozen=True)
class Door:
    """One origin that clients reach.

    Attributes:
        names: Hosts it answers as; all others are refused.
        plain: Addresses that speak HTTP.
        tls: Addresses that speak HTTPS.
    """

    names: tuple[str, ...]
    plain: tuple[str, ...] = ()
    tls: tuple[str, ...] = ()


@dataclass(frozen=True)
class EdgeForm:
    """Everything that the template asks for.

    Attributes:
        site: The client's origin: pages, API, sockets.
        files: The origin of users' bytes.
        redirect: Plain addresses that only lead to the first of `origins`.
        origins: Public origins of the site; the first is the one that links name.
        files_origins: Public origins of `files`.
        gateways, sockets, stores: Addresses behind: names where `resolver` is set,
            each of which stands for all of its addresses.
        resolver: Name server that is asked again every 5 s; empty: addresses are fixed.
        bucket: Of users' files; the only one that is served.
        certificate, certificate_key: PEM files.
        web_folder: The browser client's files.
        temp_folder: Its own, writable.
        pid_file: Of the master process.
        site_log, files_log: Access logs.
        user: Of the worker processes; empty: the one that nginx is started as.
        workers: Processes; 0: one a processor.
        open_files, connections: A worker's bounds.
        address_requests: Requests to the API under way of one client address.
        address_transfers: Files on their way of one client address.
        shutdown_seconds: How long sockets of before a reload stay open.
        trusted_proxies: Networks of a balancer before the edge, whose
            X-Forwarded-For names the client.
        deadlines: For slow clients.
    """

    site: Door
    files: Door
    origins: tuple[str, ...]
    files_origins: tuple[str, ...]
    gateways: tuple[str, ...]
    sockets: tuple[str, ...]
    stores: tuple[str, ...]
    certificate: str
    certificate_key: str
    web_folder: str
    temp_folder: str
    pid_file: str
    site_log: str
    files_log: str
    bucket: str
    redirect: tuple[str, ...] = ()
    resolver: str = ""
    user: str = ""
    workers: int = 0
    open_files: int = 16_384
    connections: int = 8_160
    address_requests: int = _REQUESTS_PER_ADDRESS
    address_transfers: int = _TRANSFERS_PER_ADDRESS
    shutdown_seconds: int = 3_600
    trusted_proxies: tuple[str, ...] = ()
    deadlines: Deadlines = field(default_factory=Deadlines)

    def __post_init__(self) -> None:
        """Refuse what could end a directive, or makes no sense.

        Raises:
            EdgeFormError: It names the field and the value.
        """
        for door in (self.site, self.files):
            _all("names", door.names, _NAME)
            _all("listener", (*door.plain, *door.tls), _ADDRESS)
        _all("redirect", self.redirect, _ADDRESS)
        _all("origins", self.origins, _ORIGIN)
        _all("files_origins", self.files_origins, _ORIGIN)
        for name in ("gateways", "sockets", "stores"):
            _all(name, getattr(self, name), _ADDRESS)
        for name in ("site", "files", "origins", "gateways", "sockets", "stores"):
            if not getattr(self, name):
                raise EdgeFormError(name, getattr(self, name))
        _all("resolver", filter(None, (self.resolver,)), _NAME)
        _all("user", filter(None, (self.user,)), _WORD)
        _all("bucket", (self.bucket,), _WORD)
        for name in _PATHS:
            _all(name, (getattr(self, name),), _PATH)
        _all("trusted_proxies", self.trusted_proxies, _NETWORK)
        for text in self.trusted_proxies:
            _network(text)
        _positive(self)


_COUNTS = ("open_files", "connections", "address_requests", "address_transfers")
_PATHS = (
    *("certificate", "certificate_key", "web_folder", "temp_folder"),
    *("pid_file", "site_log", "files_log"),
)


def _all(name: str, values: Iterable[str], pattern: re.Pattern[str]) -> None:
    for value in values:
        if not pattern.fullmatch(value):
            raise EdgeFormError(name, value)


def _network(text: str) -> None:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        raise EdgeFormError("trusted_proxies", text) from None


def _positive(form: EdgeForm) -> None:
    for known in fields(form.deadlines):
        seconds = getattr(form.deadlines, known.name)
        if not 0 < seconds <= _LONGEST_DEADLINE_SECONDS:
            raise EdgeFormError(known.name, seconds)
    for name in _COUNTS:
        if getattr(form, name) < 1:
            raise EdgeFormError(name, getattr(form, name))
    if form.connections > form.open_files:
        raise EdgeFormError("connections", form.connections)
