"""A service does not work for a caller who has stopped waiting (HT-3)."""

import asyncio

import pytest

from libs.chassis.requests import BUDGET_HEADER, RequestEdge

GIVEN = (BUDGET_HEADER.lower().encode(), b"20")


class Answering:
    """An application that thinks, answers, and thinks again."""

    def __init__(self, *, before, after=0.0):
        self.before, self.after = before, after
        self.is_cancelled = False

    async def __call__(self, scope, receive, send):
        """Serve one request."""
        try:
            await asyncio.sleep(self.before)
            start = {"type": "http.response.start", "status": 200, "headers": []}
            await send(start)
            await asyncio.sleep(self.after)
            await send({"type": "http.response.body", "body": b"done"})
        except asyncio.CancelledError:
            self.is_cancelled = True
            raise


async def _ask(application, *headers):
    sent = []

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/", "headers": list(headers)}
    await RequestEdge(application)(scope, None, send)
    return sent[0]["status"], b"".join(part.get("body", b"") for part in sent)


async def test_ht_3_what_comes_too_late_is_not_worked_out():
    """The work is cancelled, the answer is a problem with a code."""
    slow = Answering(before=30)
    status, body = await _ask(slow, GIVEN)
    assert status == 503
    assert b"budget_exhausted" in body
    assert slow.is_cancelled


async def test_ht_3_an_answer_that_has_begun_takes_its_time():
    """The budget is to the first byte."""
    status, body = await _ask(Answering(before=0, after=0.05), GIVEN)
    assert (status, body) == (200, b"done")


@pytest.mark.parametrize("value", [b"", b"-5", b"1e9", b"99999999", b"1,2"])
async def test_ht_3_nonsense_is_no_budget(value):
    """It is ignored, as if it were not there."""
    status, _ = await _ask(Answering(before=0.03), (GIVEN[0], value))
    assert status == 200
