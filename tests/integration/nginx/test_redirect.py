"""Where TLS is spoken to the outside, plain http only shows the way."""

from dataclasses import replace

import pytest

from deploy.nginx.form import Door
from tests.support.edge import running_edge

pytestmark = pytest.mark.integration


def get(path, more="", host="127.0.0.1"):
    """Return the text of a request that closes its connection."""
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{more}\r\n"


def test_plain_http_leads_to_https_but_takes_no_token(block, form):
    """Pages are redirected to the public origin, API and sockets are refused."""
    only = Door(form.site.names, tls=form.site.tls)
    origins = ("https://chat.example.org",)
    changed = replace(form, site=only, redirect=form.site.plain, origins=origins)
    with running_edge(block, changed) as edge:
        for path in ("/", "/verify?a=b", "/a%20b"):
            answer = edge.say(get(path))
            assert answer.status == 308
            assert answer.headers["location"] == f"https://chat.example.org{path}"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "strict-transport-security" not in answer.headers
        for path in ("/api/v1/me", "/socket.io/?EIO=4"):
            answer = edge.say(get(path, "Authorization: Bearer x\r\n"))
            assert (answer.status, answer.code) == (403, "https_required")
        assert edge.say(get("/", host="evil.example")).status == 421
        assert edge.say(get("/"), "edge_tls").code == "https_required"
