"""The page of mails that the sink took."""

from deploy.embedded.stubs.mail_view import mail_page

MAIL = {
    "subject": "You were mentioned <script>alert(1)</script>",
    "recipients": ["grace@example.org"],
    "received_at": "2026-11-30T12:00:00+00:00",
    "text": "Ada says: <b>look</b> & read",
}


def test_mails_are_shown_as_text() -> None:
    """What a mail says is no markup of the page."""
    page = mail_page([MAIL])

    assert "grace@example.org" in page
    assert "&lt;b&gt;look&lt;/b&gt; &amp; read" in page
    assert "<script>" not in page


def test_an_empty_box_says_so() -> None:
    """Somebody who waits for a mail sees that there is none."""
    assert "None yet" in mail_page([])
