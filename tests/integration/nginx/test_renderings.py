"""Every rendering of the edge's configuration is one that nginx takes."""

from dataclasses import replace

import pytest

from deploy.embedded.certificates import certificate_files, ensure_certificates
from deploy.embedded.servers.nginx import edge_form
from deploy.nginx.forms import compose_form, kubernetes_form
from deploy.nginx.rendering import render
from tests.support.edge import nginx

pytestmark = pytest.mark.integration

HOSTS = ("chat.example.org", "files.example.org")


@pytest.mark.parametrize(
    ("make", "changes"),
    [
        (edge_form, {}),
        (lambda _: compose_form(*HOSTS), {}),
        # The cluster's name server has a name, which nginx looks up when it starts.
        (lambda _: kubernetes_form(*HOSTS), {"resolver": "127.0.0.1"}),
        (lambda _: kubernetes_form(*HOSTS), {"resolver": "", "trusted_proxies": ()}),
        (lambda _: compose_form(*HOSTS), {"trusted_proxies": ("10.0.0.0/8",)}),
    ],
    ids=["embedded", "compose", "kubernetes", "fixed-addresses", "behind-a-balancer"],
)
def test_nginx_takes_the_rendering(block, make, changes):
    """`nginx -t` passes on each, with files of this machine in the others' places."""
    ensure_certificates(block)
    form = make(block)
    certificate, key = certificate_files(block, "edge")
    here = {
        "certificate": str(certificate),
        "certificate_key": str(key),
        "temp_folder": "temp",
        "pid_file": "test.pid",
        "site_log": str(block.folder("log") / "test.log"),
        "files_log": str(block.folder("log") / "test.log"),
        "user": edge_form(block).user,
    }
    if not changes.get("resolver", form.resolver):
        here |= dict.fromkeys(("gateways", "sockets", "stores"), ("127.0.0.1:1",))
    block.folder("run", "edge", "temp")
    text = render(replace(form, **(here | changes)))
    (block.run("edge") / "nginx.conf").write_text(text)
    result = nginx(block, "-t")
    assert result.returncode == 0, result.stderr
    assert "warn" not in result.stderr
