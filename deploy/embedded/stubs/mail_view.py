"""What inboxes received, over HTTP: a page for people, JSON for programs.

`GET /` is the page, `GET /mails?to=&after=` lists mails, `GET /mails/{id}` gives one,
`POST /behaviour` makes a recipient refused for a while.
"""

from collections.abc import Iterable
from html import escape
from typing import Any, Protocol

from aiohttp import web

from deploy.embedded.stubs.mailbox import Mail, Mailbox

_SHOWN = 100
_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Mails that arrived</title>
<style>body{font:15px/1.5 system-ui;max-width:52rem;margin:2rem auto;padding:0 1rem}
summary{cursor:pointer}pre{white-space:pre-wrap;background:#f4f4f4;padding:1rem}
small{color:#666}</style>
<h1>Mails that arrived</h1>
<form><input name="to" type="search" placeholder="to whom"></form>
"""
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "Cache-Control": "no-store",
}


class Refusing(Protocol):
    """An SMTP server that can be told to refuse somebody."""

    def refuse(self, recipient: str, reply: str, count: int) -> None:
        """Answer the next mails to a recipient with an SMTP reply."""


def mail_view(mailbox: Mailbox, sink: Refusing) -> web.Application:
    """Return the application that shows a mailbox."""

    async def show_page(request: web.Request) -> web.Response:
        mails = mailbox.find(to=request.query.get("to") or None)
        text = mail_page(reversed(mails[-_SHOWN:]))
        return web.Response(text=text, content_type="text/html", headers=_HEADERS)

    async def list_mails(request: web.Request) -> web.Response:
        query = request.query
        mails = mailbox.find(to=query.get("to"), after=query.get("after"))
        return web.json_response(mails)

    async def read_mail(request: web.Request) -> web.Response:
        mail = mailbox.read(request.match_info["id"])
        if mail is None:
            raise web.HTTPNotFound
        return web.json_response(mail)

    async def behave(request: web.Request) -> web.Response:
        order: dict[str, Any] = await request.json()
        sink.refuse(order["recipient"], order["reply"], int(order.get("count", 1)))
        return web.json_response({})

    application = web.Application()
    application.router.add_get("/", show_page)
    application.router.add_get("/mails", list_mails)
    application.router.add_get("/mails/{id}", read_mail)
    application.router.add_post("/behaviour", behave)
    return application


def mail_page(mails: Iterable[Mail]) -> str:
    """Return the page of some mails, in their order; nothing of theirs is markup."""
    rows = [
        f"<details><summary>{escape(mail['subject'])} "
        f"<small>to {escape(', '.join(mail['recipients']))}, "
        f"{escape(mail['received_at'])}</small></summary>"
        f"<pre>{escape(mail['text'])}</pre></details>\n"
        for mail in mails
    ]
    return _PAGE + ("".join(rows) or "<p>None yet.</p>\n")
