"""From a form to the text of nginx.conf: one file, nothing included from elsewhere."""

import re
from collections.abc import Iterable
from pathlib import Path
from string import Template

from deploy.nginx.form import Door, EdgeForm

FOLDER = Path(__file__).parent
_INCLUDE = re.compile(r"^( *)include ([a-z]+\.conf);\n", re.MULTILINE)
_BLANKS = re.compile(r"^ +\n", re.MULTILINE)
_SOCKET_SCHEMES = {"http": "ws", "https": "wss"}


class _EdgeTemplate(Template):
    """A template whose placeholders nginx's own variables cannot be mistaken for."""

    delimiter = "%"


def render(form: EdgeForm) -> str:
    """Return the text of nginx.conf."""
    text = _EdgeTemplate(_read("edge.conf.template")).substitute(
        _plain_values(form)
        | _listeners(form)
        | _upstreams(form)
        | _redirect_server(form)
        | _origins(form)
        | _optional(form)
    )
    return _BLANKS.sub("", _INCLUDE.sub(_included, text))


def _read(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def _included(match: re.Match[str]) -> str:
    indent, name = match.groups()
    lines = _read(name).splitlines()
    return "".join(f"{indent}{line}\n" if line else "\n" for line in lines)


def _plain_values(form: EdgeForm) -> dict[str, object]:
    return {
        "pid_file": form.pid_file,
        "workers": form.workers or "auto",
        "open_files": form.open_files,
        "connections": form.connections,
        "address_requests": form.address_requests,
        "address_transfers": form.address_transfers,
        "shutdown_seconds": form.shutdown_seconds,
        "header_seconds": form.deadlines.header_seconds,
        "body_seconds": form.deadlines.body_seconds,
        "send_seconds": form.deadlines.send_seconds,
        "idle_seconds": form.deadlines.idle_seconds,
        "temp_folder": form.temp_folder,
        "certificate": form.certificate,
        "certificate_key": form.certificate_key,
        "site_names": " ".join(form.site.names),
        "files_names": " ".join(form.files.names),
        "site_log": form.site_log,
        "files_log": form.files_log,
        "web_folder": form.web_folder,
        "bucket": form.bucket,
    }


def _listeners(form: EdgeForm) -> dict[str, str]:
    doors = (form.site, form.files, Door((), form.redirect))
    # The first server of an address is the one that sets its options.
    plain = dict.fromkeys(address for door in doors for address in door.plain)
    tls = dict.fromkeys(address for door in doors for address in door.tls)
    return {
        "every_listener": _lines(
            [f"listen {address} default_server sndbuf=128k;" for address in plain]
            + [f"listen {address} ssl default_server sndbuf=128k;" for address in tls]
        ),
        "site_listeners": _listens(form.site),
        "files_listeners": _listens(form.files),
    }


def _listens(door: Door) -> str:
    return _lines(
        [f"listen {address};" for address in door.plain]
        + [f"listen {address} ssl;" for address in door.tls]
    )


def _upstreams(form: EdgeForm) -> dict[str, str]:
    suffix = " resolve" if form.resolver else ""
    behind = {"gateways": form.gateways, "sockets": form.sockets, "stores": form.stores}
    return {
        name: _lines(f"server {address}{suffix};" for address in addresses)
        for name, addresses in behind.items()
    }


def _redirect_server(form: EdgeForm) -> dict[str, str]:
    if not form.redirect:
        return {"redirect_server": ""}
    values = {
        "listeners": _listens(Door((), form.redirect)),
        "names": " ".join(form.site.names),
        "origin": form.origins[0],
        "site_log": form.site_log,
    }
    template = _EdgeTemplate(_read("redirect.conf.template"))
    return {"redirect_server": template.substitute(values)}


def _origins(form: EdgeForm) -> dict[str, str]:
    sockets = []
    for origin in form.origins:
        scheme, _, host = origin.partition("://")
        sockets.append(f"{_SOCKET_SCHEMES[scheme]}://{host}")
    return {
        "files_origins": " ".join(form.files_origins),
        "socket_origins": " ".join(sockets),
        # A pattern: plain texts of a map are compared without case.
        "upload_origins": _lines(
            f'"~^{re.escape(origin)}$" $http_origin;' for origin in form.origins
        ),
    }


def _optional(form: EdgeForm) -> dict[str, str]:
    real = [f"set_real_ip_from {network};" for network in form.trusted_proxies]
    if real:
        real += ["real_ip_header X-Forwarded-For;", "real_ip_recursive on;"]
    return {
        "user": f"user {form.user};" if form.user else "",
        "resolver": f"resolver {form.resolver} valid=5s;" if form.resolver else "",
        "real_address": _lines(real, indent=4),
    }


def _lines(lines: Iterable[str], indent: int = 8) -> str:
    return f"\n{' ' * indent}".join(lines)
