"""The stand-ins speak their protocols well enough for the real client libraries."""

import os
import ssl
import subprocess
import sys
from email.message import EmailMessage

import aiohttp
import aiosmtplib
import pytest

from libs.kernel import new_id

pytestmark = pytest.mark.integration

SENDER = """
import sys, firebase_admin
from firebase_admin import credentials, messaging
app = firebase_admin.initialize_app(credentials.Certificate(sys.argv[1]))
tokens = sys.argv[2:]
batch = messaging.send_each(
    [messaging.Message(
        token=token,
        notification=messaging.Notification(title="New message", body="Ada"),
        data={"conversation_id": "c1"},
        android=messaging.AndroidConfig(priority="high", ttl=60),
    ) for token in tokens], app=app)
for answer in batch.responses:
    print(answer.message_id or type(answer.exception).__name__)
"""


def send_pushes(stack, *tokens):
    """Send pushes with firebase-admin as notification is set up; return its words."""
    settings = stack.service_environment("notification")
    passed = {name: os.environ[name] for name in ("PATH",)}
    finished = subprocess.run(
        [
            *(sys.executable, "-c", SENDER),
            *(settings["NOTIFICATION_FCM_CREDENTIALS_FILE"], *tokens),
        ],
        env=passed | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.split()


def smtp_client(stack, **changes):
    """Return a client with the account and authority that notification gets."""
    settings = stack.service_environment("notification")
    password = stack.secret("notification", "notification_smtp_password")
    context = ssl.create_default_context(cafile=settings["NOTIFICATION_SMTP_CA_FILE"])
    return aiosmtplib.SMTP(
        **{
            "hostname": settings["NOTIFICATION_SMTP_HOST"],
            "port": int(settings["NOTIFICATION_SMTP_PORT"]),
            "username": settings["NOTIFICATION_SMTP_USERNAME"],
            "password": password,
            "start_tls": True,
            "tls_context": context,
        }
        | changes
    )


def mail_to(recipient):
    """Return a mail with a text and an HTML part."""
    message = EmailMessage()
    message["From"] = "Parley <parley@localhost.localdomain>"
    message["To"] = recipient
    message["Subject"] = "Grüße"
    message.set_content("plain words")
    message.add_alternative("<p>rich words</p>", subtype="html")
    return message


def test_firebase_admin_sends_through_the_stand_in(stack):
    """A push sent with Google's SDK is taken and can be looked at."""
    token = f"device-{new_id()}"
    (name,) = send_pushes(stack, token)
    (push,) = stack.pushes(token)
    assert push["name"] == name
    assert push["message"]["notification"]["title"] == "New message"
    assert push["message"]["android"]["priority"] == "high"


def test_ordered_failures_reach_firebase_admin_as_its_errors(stack):
    """An unregistered and a throttled device are told apart, the next send works."""
    gone, throttled = f"gone-{new_id()}", f"busy-{new_id()}"
    stack.push_behaviour(token=gone, failure="UNREGISTERED")
    stack.push_behaviour(token=throttled, failure="QUOTA_EXCEEDED")
    assert send_pushes(stack, gone, throttled) == [
        "UnregisteredError",
        "QuotaExceededError",
    ]
    assert stack.pushes(gone) == []
    assert send_pushes(stack, gone)[0].startswith("projects/")


async def test_account_may_be_used_everywhere(stack):
    """Google's sign-in library gets an answer to its look-up beside the token."""
    account = "v1/projects/-/serviceAccounts/parley@example.org/allowedLocations"
    async with (
        aiohttp.ClientSession() as session,
        session.get(
            f"https://iamcredentials.googleapis.com/{account}",
            proxy=stack.stack.url("fcm_proxy"),
            ssl=ssl.create_default_context(cafile=str(stack.stack.ca_file)),
        ) as response,
    ):
        assert response.status == 200
        assert "encodedLocations" in await response.json()


async def test_mail_is_taken_over_starttls_with_authentication(stack):
    """A mail sent as notification sends it is shown with both bodies."""
    recipient = f"ada-{new_id()}@example.org"
    async with smtp_client(stack) as client:
        await client.send_message(mail_to(recipient))
    (mail,) = await stack.wait_mails(recipient)
    assert mail["subject"] == "Grüße"
    assert mail["text"].strip() == "plain words"
    assert mail["html"].strip() == "<p>rich words</p>"
    assert stack.mails(recipient, after=mail["id"]) == []


async def test_wrong_password_is_refused(stack):
    """The sink takes nobody's mail but the account's."""
    # In two steps: a connection that `connect` gives up leaves its socket behind.
    async with smtp_client(stack, username=None, password=None) as client:
        with pytest.raises(aiosmtplib.SMTPAuthenticationError):
            await client.login("parley", "wrong")


async def test_mail_without_authentication_is_refused(stack):
    """An encrypted connection alone does not let a mail in."""
    async with smtp_client(stack, username=None, password=None) as client:
        with pytest.raises(aiosmtplib.SMTPResponseException) as refused:
            await client.send_message(mail_to("ada@example.org"))
    assert refused.value.code == 530


async def test_ordered_refusal_holds_for_the_counted_mails(stack):
    """A recipient can be made to fail for a while, to test what is sent again."""
    recipient = f"slow-{new_id()}@example.org"
    stack.mail_behaviour(recipient=recipient, reply="451 try again", count=1)
    async with smtp_client(stack) as client:
        with pytest.raises(aiosmtplib.SMTPRecipientsRefused):
            await client.send_message(mail_to(recipient))
        await client.send_message(mail_to(recipient))
    assert len(await stack.wait_mails(recipient)) == 1
