"""Push through firebase-admin to FCM's HTTP v1 API."""

import asyncio
import contextlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

import firebase_admin
import requests
from firebase_admin import credentials, exceptions, messaging
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import Request
from requests.adapters import HTTPAdapter

from libs.kernel import Clock
from services.notification.domain.delivery import (
    Accepted,
    Outcome,
    Postponed,
    Rejected,
    Unknown,
    Unreachable,
)
from services.notification.ports import Push

_FCM_ORIGIN = "https://fcm.googleapis.com"
_PUSHES_PER_CALL = 500
# Too many, or not now; and our own account refused: no fault of the push.
_LEAVE_ALONE = frozenset({401, 403, 429, 503})
_RETRY_AFTER_MAX = timedelta(hours=1)


@dataclass(frozen=True)
class FcmSettings:
    """How FCM is reached.

    Attributes:
        credentials_file: The service account's JSON file.
        project_id: None: the one in the credentials.
        timeout_seconds: For each request, connecting and reading each.
        token_seconds: A call whose access token took longer than that is given up
            before any push went out.
        threads: Calls at the same time; each has a thread a push in it.
    """

    credentials_file: Path
    project_id: str | None = None
    timeout_seconds: float = 4
    token_seconds: float = 8
    threads: int = 2


class FcmPushSender:
    """Hands pushes to FCM from a bounded thread pool: the SDK blocks.

    Args:
        settings: How it is reached.
        name: Of the SDK's app; unique in the process.
        clock: Turns a Retry-After date into a wait.

    Raises:
        ValueError: The credentials file is not one.
        OSError: It cannot be read.
    """

    def __init__(self, settings: FcmSettings, name: str, clock: Clock) -> None:
        options: dict[str, Any] = {"httpTimeout": settings.timeout_seconds}
        if settings.project_id:
            options["projectId"] = settings.project_id
        self._settings = settings
        self._clock = clock
        self._app = firebase_admin.initialize_app(
            credentials.Certificate(str(settings.credentials_file)), options, name
        )
        self._threads = ThreadPoolExecutor(settings.threads, "fcm")
        _leave_retries_to_us(self._app)

    async def send(self, pushes: Sequence[Push]) -> list[Outcome]:
        """Hand over pushes; see `PushSender.send`. At most 500 a call."""
        if not pushes:
            return []
        if len(pushes) > _PUSHES_PER_CALL:
            raise ValueError("more pushes than FCM takes at once")
        messages = [_message(push) for push in pushes]
        begin_until = self._clock.monotonic() + self._settings.token_seconds
        loop = asyncio.get_running_loop()
        try:
            answer = await loop.run_in_executor(
                self._threads, self._call, messages, begin_until
            )
        except (GoogleAuthError, exceptions.FirebaseError, TimeoutError):
            return [Unreachable("fcm_token_endpoint") for _ in pushes]
        now = self._clock.now()
        return [_outcome(response, now) for response in answer.responses]

    async def close(self) -> None:
        """Wait for running calls and close the SDK's connections."""
        await asyncio.to_thread(self._threads.shutdown)
        # In a thread: the SDK closes its asynchronous client in a loop of its own.
        await asyncio.to_thread(firebase_admin.delete_app, self._app)

    def _call(
        self, messages: list[messaging.Message], begin_until: float
    ) -> messaging.BatchResponse:
        """Run in a thread; the access token first, since the SDK waits minutes for it.

        Raises:
            GoogleAuthError: The token endpoint refused or did not answer.
            TimeoutError: It took so long that others may have the deliveries by now.
        """
        credential = self._app.credential.get_credential()
        if not credential.valid:
            bounded = partial(Request(), timeout=self._settings.timeout_seconds)
            credential.refresh(bounded)
        if self._clock.monotonic() > begin_until:
            raise TimeoutError
        return messaging.send_each(messages, app=self._app)


class NullPushSender:
    """Stands in where no push provider is configured: refuses for good."""

    async def send(self, pushes: Sequence[Push]) -> list[Outcome]:
        """Refuse; see `PushSender.send`."""
        return [Rejected("push_not_configured") for _ in pushes]

    async def close(self) -> None:
        """Nothing to close."""


def _leave_retries_to_us(app: firebase_admin.App) -> None:
    """Take the SDK's own retries away.

    It repeats a POST up to four times after 500 and 503, sleeps through a Retry-After
    in its thread, and sends again after a lost answer: second pushes that no row of
    ours knows of. It has no option for that, so its session gets a plain adapter.

    Raises:
        AttributeError: The SDK changed; better no start than second pushes.
    """
    service = messaging._get_messaging_service(app)  # noqa: SLF001 - see above
    service._client.session.mount(_FCM_ORIGIN, HTTPAdapter(max_retries=0))  # noqa: SLF001


def _message(push: Push) -> messaging.Message:
    """Build the message; what makes a second try replace the first stands in each.

    Android and web by tag, iOS by collapse id.
    """
    expires = str(int(push.lifetime.total_seconds()))
    return messaging.Message(
        token=push.token,
        data=dict(push.data),
        notification=messaging.Notification(title=push.title, body=push.body),
        android=messaging.AndroidConfig(
            priority="high",
            ttl=push.lifetime,
            notification=messaging.AndroidNotification(tag=push.tag),
        ),
        apns=messaging.APNSConfig(
            headers={
                "apns-id": push.push_id,
                "apns-collapse-id": push.tag,
                "apns-expiration": str(int(push.expires_at.timestamp())),
            }
        ),
        webpush=messaging.WebpushConfig(
            headers={"TTL": expires, "Urgency": "high"},
            notification=messaging.WebpushNotification(tag=push.tag),
        ),
    )


def _outcome(response: messaging.SendResponse, now: datetime) -> Outcome:
    error = response.exception
    if error is None:
        return Accepted(response.message_id)
    if isinstance(error, messaging.UnregisteredError):
        return Rejected("fcm_unregistered", is_target_dead=True)
    if isinstance(error, messaging.SenderIdMismatchError):
        return Rejected("fcm_sender_id_mismatch", is_target_dead=True)
    if error.http_response is None:
        return _unanswered(error)
    return _refused(error, error.http_response, now)


def _refused(
    error: exceptions.FirebaseError, response: requests.Response, now: datetime
) -> Outcome:
    status = response.status_code
    if status in _LEAVE_ALONE:
        return Unreachable(
            f"fcm_{status}", retry_after_of(response, now), is_attempt=True
        )
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Postponed(f"fcm_{status}")
    return Rejected(_slug(error))


def _unanswered(error: exceptions.FirebaseError) -> Outcome:
    """Tell a request that never left from one whose answer was lost."""
    cause = error.cause
    never_left = (requests.exceptions.ConnectTimeout, requests.exceptions.ProxyError)
    if isinstance(cause, never_left) or "NewConnectionError" in repr(cause):
        return Unreachable("fcm_unreachable")
    return Unknown("fcm_no_answer")


def retry_after_of(response: requests.Response, now: datetime) -> timedelta | None:
    """Read Retry-After, in seconds or as a date (RFC 9110 section 10.2.3).

    Returns:
        0 to one hour, or None where there is none that can be read.
    """
    text = response.headers.get("Retry-After", "").strip()
    wait = None
    if text.isdecimal():
        wait = timedelta(seconds=min(int(text), 86_400))
    else:
        with contextlib.suppress(ValueError):
            date = parsedate_to_datetime(text)
            wait = (date if date.tzinfo else date.replace(tzinfo=UTC)) - now
    return wait and min(max(wait, timedelta()), _RETRY_AFTER_MAX)


def _slug(error: exceptions.FirebaseError) -> str:
    return f"fcm_{error.code.lower()}" if error.code else "fcm_refused"
