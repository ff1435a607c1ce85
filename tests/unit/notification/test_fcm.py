"""What FCM's answers mean."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from firebase_admin import exceptions, messaging

from libs.kernel import SystemClock, new_id
from services.notification.delivery.fcm import (
    FcmPushSender,
    FcmSettings,
    NullPushSender,
    _outcome,
    retry_after_of,
)
from services.notification.domain.delivery import (
    Accepted,
    Outcome,
    Postponed,
    Rejected,
    Unknown,
    Unreachable,
)
from tests.unit.notification.test_composer import BOB as READER
from tests.unit.notification.test_composer import COMPOSER, DELIVERY, LINE, PHONE

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def response(status: int, retry_after: str | None = None) -> requests.Response:
    """Return an answer of the provider."""
    made = requests.Response()
    made.status_code = status
    if retry_after is not None:
        made.headers["Retry-After"] = retry_after
    return made


def outcome(error: exceptions.FirebaseError | None) -> Outcome:
    """Return what an answer means."""
    body = None if error else {"name": "projects/p/messages/1"}
    return _outcome(messaging.SendResponse(body, error), NOW)


def test_a_name_is_an_acceptance() -> None:
    """The provider's own id is kept."""
    assert outcome(None) == Accepted("projects/p/messages/1")


def test_dead_tokens_are_told_apart() -> None:
    """Unregistered and foreign tokens are never used again."""
    gone = messaging.UnregisteredError("x", http_response=response(404))
    foreign = messaging.SenderIdMismatchError("x", http_response=response(403))
    assert outcome(gone) == Rejected("fcm_unregistered", is_target_dead=True)
    assert outcome(foreign) == Rejected("fcm_sender_id_mismatch", is_target_dead=True)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            messaging.QuotaExceededError("x", http_response=response(429, "7")),
            Unreachable("fcm_429", timedelta(seconds=7), is_attempt=True),
        ),
        (
            exceptions.UnavailableError("x", http_response=response(503)),
            Unreachable("fcm_503", None, is_attempt=True),
        ),
        (
            exceptions.UnauthenticatedError("x", http_response=response(401)),
            Unreachable("fcm_401", None, is_attempt=True),
        ),
        (
            exceptions.InternalError("x", http_response=response(500)),
            Postponed("fcm_500"),
        ),
        (
            exceptions.InvalidArgumentError("x", http_response=response(400)),
            Rejected("fcm_invalid_argument"),
        ),
        (
            exceptions.UnavailableError("x", cause=requests.ConnectTimeout()),
            Unreachable("fcm_unreachable"),
        ),
        (
            exceptions.UnavailableError("x", cause=requests.exceptions.ProxyError()),
            Unreachable("fcm_unreachable"),
        ),
        (
            exceptions.DeadlineExceededError("x", cause=requests.ReadTimeout()),
            Unknown("fcm_no_answer"),
        ),
        (
            exceptions.UnavailableError("x", cause=requests.ConnectionError()),
            Unknown("fcm_no_answer"),
        ),
    ],
)
def test_answers_have_their_meaning(
    error: exceptions.FirebaseError, expected: Outcome
) -> None:
    """Refused for now, for good, not reached, or not known."""
    assert outcome(error) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("0", timedelta()),
        ("120", timedelta(seconds=120)),
        ("9" * 30, timedelta(hours=1)),
        ("Thu, 01 Jan 2026 12:00:30 GMT", timedelta(seconds=30)),
        ("Thu, 01 Jan 2026 11:00:00 GMT", timedelta()),
    ],
)
def test_retry_after_is_seconds_or_a_date(
    text: str | None, expected: timedelta | None
) -> None:
    """Both forms of RFC 9110, within bounds."""
    assert retry_after_of(response(503, text), NOW) == expected


async def test_without_a_provider_pushes_are_refused() -> None:
    """They do not queue up for nothing."""
    push = COMPOSER.push(DELIVERY, READER, PHONE, LINE)
    assert await NullPushSender().send([push]) == [Rejected("push_not_configured")]
    assert json.dumps(dict(push.data))


async def test_the_sender_closes_inside_a_running_loop(tmp_path: Path) -> None:
    """The SDK closes its client in a loop of its own, which ours must not be in."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    credentials = tmp_path / "account.json"
    credentials.write_text(
        json.dumps(
            {
                "type": "service_account",
                "project_id": "p",
                "client_email": "a@p.example.org",
                "token_uri": "http://127.0.0.1:9/token",
                "private_key": key.private_bytes(
                    serialization.Encoding.PEM,
                    serialization.PrivateFormat.PKCS8,
                    serialization.NoEncryption(),
                ).decode(),
            }
        )
    )
    sender = FcmPushSender(FcmSettings(credentials), new_id(), SystemClock())
    # The client is made when the first push is, by the SDK.
    assert messaging._get_messaging_service(sender._app) is not None

    await sender.close()

    with pytest.raises(RuntimeError, match="shutdown"):
        sender._threads.submit(print)
