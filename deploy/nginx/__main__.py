"""``python -m deploy.nginx FORM``: print the edge's configuration for containers."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from deploy.nginx.form import EdgeForm, EdgeFormError
from deploy.nginx.forms import compose_form, kubernetes_form
from deploy.nginx.rendering import render

_FORMS = ("compose", "kubernetes")
_HTTPS_PORT = 443
_LISTS = ("gateways", "sockets", "stores", "trusted_proxies")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one rendering; return 1 where a value is not allowed."""
    options = _parser().parse_args(arguments)
    given: dict[str, Any] = {  # by field's name; the form checks every value
        name: tuple(value.split(","))
        for name in _LISTS
        if (value := getattr(options, name)) is not None
    }
    if options.resolver is not None:
        given["resolver"] = options.resolver
    try:
        form = _form(options)
        print(render(replace(form, **given)), end="")
    except EdgeFormError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _form(options: argparse.Namespace) -> EdgeForm:
    if options.form == "compose":
        return compose_form(options.host, options.files_host, options.port)
    return kubernetes_form(options.host, options.files_host)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.nginx", description=__doc__)
    parser.add_argument("form", choices=_FORMS)
    parser.add_argument("--host", required=True, help="public name of the site")
    parser.add_argument("--files-host", required=True, help="public name of files")
    parser.add_argument(
        "--port", type=int, default=_HTTPS_PORT, help="of the site over TLS (compose)"
    )
    parser.add_argument(
        "--resolver", help="name server, or nothing for fixed addresses"
    )
    for name in _LISTS:
        flag = f"--{name.replace('_', '-')}"
        parser.add_argument(flag, help="one or more, with commas")
    return parser


if __name__ == "__main__":
    sys.exit(main())
