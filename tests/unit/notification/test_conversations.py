"""Excerpts of messages, and what of them is unread."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.kernel import ConversationId, MessageId, UserId
from services.notification.domain.conversations import (
    EXCERPT_MAX_CHARACTERS,
    Excerpt,
    Member,
    excerpt_of,
    unread,
)

FIRST = Excerpt(
    MessageId("m1"),
    ConversationId("c"),
    seq=1,
    revision=2,
    sender_id=UserId("ada"),
    sent_at=datetime(2026, 1, 1, tzinfo=UTC),
    text="one",
)
BOB = Member(ConversationId("c"), UserId("bob"))


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("plain", 10, "plain"),
        ("two\r\nlines\tand tabs", 40, "two lines and tabs"),
        ("bell\x07 and\x00 null", 40, "bell and null"),
        ("abcdefghij", 10, "abcdefghij"),
        ("abcdefghijk", 10, "abcdefghi…"),
        ("abc defgh ijk", 5, "abc…"),
        ("   ", 10, ""),
        (" " * 100 + "x", 10, "…"),
    ],
)
def test_an_excerpt_is_one_short_line(text: str, limit: int, expected: str) -> None:
    """White space is one blank, control characters go, the cut is shown."""
    assert excerpt_of(text, limit) == expected


@given(st.text(max_size=3000))
def test_an_excerpt_is_bounded_and_printable(text: str) -> None:
    """Whatever a message holds, its excerpt is safe for a header."""
    excerpt = excerpt_of(text)
    assert len(excerpt) <= EXCERPT_MAX_CHARACTERS
    assert "\n" not in excerpt
    assert "\r" not in excerpt
    assert "\x00" not in excerpt


def test_unread_is_after_the_marker_and_not_deleted() -> None:
    """Read and deleted messages are left out; the rest is in order."""
    second = replace(FIRST, message_id=MessageId("m2"), seq=2)
    third = replace(second, message_id=MessageId("m3"), seq=3, is_deleted=True)
    fourth = replace(second, message_id=MessageId("m4"), seq=4)

    assert unread([fourth, third, second, FIRST], replace(BOB, read_seq=1)) == [
        second,
        fourth,
    ]
    assert unread([FIRST], None) == [FIRST]
