"""One template, three edges: what may be filled in, and what comes out."""

import re
from dataclasses import replace

import pytest

from deploy.nginx.__main__ import main
from deploy.nginx.form import Deadlines, Door, EdgeFormError
from deploy.nginx.forms import compose_form, kubernetes_form
from deploy.nginx.rendering import render

HOSTS = ("chat.example.org", "files.example.org")
COMPOSE = compose_form(*HOSTS)
KUBERNETES = kubernetes_form(*HOSTS)
HOSTILE = ["a;b", "a{", "a}", "a b\n", "$host", 'a"b', "a'b", "a\\b", "a\0b", ""]


@pytest.mark.parametrize("form", [COMPOSE, KUBERNETES], ids=["compose", "kubernetes"])
def test_a_rendering_is_one_whole_file(form):
    """Nothing is left to be filled in, and nothing is read from elsewhere."""
    text = render(form)
    assert "%{" not in text
    assert "include " not in re.sub(r"#.*", "", text)
    assert text.count("{") == text.count("}")
    assert not re.search(r"^ +$", text, re.MULTILINE)


FIELDS = (
    *("origins", "files_origins", "redirect", "gateways", "sockets", "stores"),
    *("bucket", "certificate", "certificate_key", "web_folder", "temp_folder"),
    *("pid_file", "site_log", "files_log", "trusted_proxies"),
)


@pytest.mark.parametrize("value", HOSTILE, ids=repr)
@pytest.mark.parametrize("field", FIELDS)
def test_no_value_ends_a_directive(value, field):
    """What could begin another directive is refused, by the name of its field."""
    is_list = isinstance(getattr(COMPOSE, field), tuple)
    with pytest.raises(EdgeFormError, match=field) as caught:
        replace(COMPOSE, **{field: (value,) if is_list else value})
    assert caught.value.code == "edge_form_invalid"


@pytest.mark.parametrize("value", HOSTILE, ids=repr)
def test_no_listener_ends_a_directive(value):
    """The same for names and addresses that nginx listens on."""
    with pytest.raises(EdgeFormError):
        replace(COMPOSE, site=Door((value,), tls=("0.0.0.0:8443",)))
    with pytest.raises(EdgeFormError):
        replace(COMPOSE, files=Door(("a",), plain=(value,)))


@pytest.mark.parametrize(
    "changes",
    [
        {"gateways": ()},
        {"sockets": ()},
        {"origins": ()},
        {"connections": 0},
        {"connections": 20_000},
        {"deadlines": Deadlines(header_seconds=0)},
        {"deadlines": Deadlines(idle_seconds=61)},
        {"resolver": "a b"},
        {"user": "root;"},
    ],
    ids=repr,
)
def test_a_form_that_makes_no_sense_is_refused(changes):
    """Nobody behind, no connection, no deadline: told before nginx starts."""
    with pytest.raises(EdgeFormError):
        replace(COMPOSE, **changes)


def test_a_folder_may_have_a_blank_in_its_name():
    """Paths are quoted."""
    text = render(replace(COMPOSE, web_folder="/srv/my web"))
    assert 'root "/srv/my web";' in text


def test_names_are_resolved_again_and_addresses_are_not():
    """Of a name all addresses are asked, of several addresses the least busy."""
    assert "server chat:21013 resolve;" in render(COMPOSE)
    assert "resolver 127.0.0.11 valid=5s;" in render(COMPOSE)
    fixed = render(replace(COMPOSE, resolver="", sockets=("10.0.0.1:1", "10.0.0.2:1")))
    assert "server 10.0.0.1:1;\n        server 10.0.0.2:1;" in fixed
    assert "resolve" not in re.sub(r"#.*", "", fixed)


def test_clients_behind_a_balancer_are_known_where_it_is_named():
    """RL-5: an address that a header tells is believed of named networks alone."""
    assert "real_ip" not in render(KUBERNETES)
    text = render(replace(KUBERNETES, trusted_proxies=("10.0.0.0/8", "fd00::/8")))
    assert "set_real_ip_from 10.0.0.0/8;\n    set_real_ip_from fd00::/8;" in text
    assert "real_ip_recursive on;" in text
    with pytest.raises(EdgeFormError):  # a zone, which Python lets be any text
        replace(KUBERNETES, trusted_proxies=("fe80::%a; daemon on;/64",))


def test_only_https_is_served_in_containers():
    """Port 80 has a server that redirects, and no other."""
    for text in (render(COMPOSE), render(KUBERNETES)):
        assert "return 308 https://chat.example.org$request_uri;" in text
        assert text.count("listen 0.0.0.0:8080") == 2  # refuses hosts, redirects


def test_the_command_prints_a_rendering_and_refuses_what_is_wrong(capsys):
    """`python -m deploy.nginx` is how compose and Kubernetes get theirs."""
    hosts = ["--host", "a.example", "--files-host", "b.example"]
    assert main(["compose", *hosts, "--gateways", "x:1,y:2"]) == 0
    assert "server x:1 resolve;\n        server y:2 resolve;" in capsys.readouterr().out
    assert main(["kubernetes", *hosts, "--trusted-proxies", "everybody"]) == 1
    assert "trusted_proxies" in capsys.readouterr().err
