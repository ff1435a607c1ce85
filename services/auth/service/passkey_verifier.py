"""The checks of WebAuthn, by py_webauthn; what it raises stays in here."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import (
    base64url_to_bytes,
    bytes_to_base64url,
    options_to_json_dict,
    parse_client_data_json,
)
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from libs.kernel import AppError, UserId
from services.auth.domain import (
    PASSKEY_CHALLENGE_LIFETIME,
    Passkey,
    User,
)
from services.auth.domain.errors import (
    PasskeyInvalidError,
    SecondFactorInvalidError,
)

Credential = Mapping[str, Any]
"""What ``PublicKeyCredential.toJSON()`` gives; its texts are bounded by the schema."""

T = TypeVar("T")
_TIMEOUT_MS = int(PASSKEY_CHALLENGE_LIFETIME.total_seconds() * 1_000)
_UNREADABLE = (WebAuthnException, ValueError, TypeError, LookupError, RecursionError)


@dataclass(frozen=True)
class NewCredential:
    """What a registration proved."""

    credential_id: str
    public_key: bytes
    sign_count: int
    opens_alone: bool


class PasskeyVerifier:
    """Makes the options of both ceremonies and checks their answers.

    Args:
        public_url: Of the installation: its origin is the only one that is taken,
            its host the relying party's id.
    """

    def __init__(self, public_url: str) -> None:
        parts = urlsplit(public_url)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._rp_id = parts.hostname or ""

    def registration_options(
        self, user: User, known: Sequence[Passkey], challenge: bytes
    ) -> dict[str, Any]:
        """Return what ``navigator.credentials.create`` takes, as JSON."""
        options = generate_registration_options(
            rp_id=self._rp_id,
            rp_name="Parley",
            user_id=user.user_id.encode(),
            user_name=user.email.written,
            user_display_name=user.display_name,
            challenge=challenge,
            timeout=_TIMEOUT_MS,
            exclude_credentials=_descriptors(known),
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.PREFERRED,
                user_verification=UserVerificationRequirement.PREFERRED,
            ),
        )
        # Asks whether the authenticator keeps whom the key belongs to.
        extensions = {"credProps": True}
        return options_to_json_dict(options) | {"extensions": extensions}

    def authentication_options(
        self, known: Sequence[Passkey], challenge: bytes, *, is_alone: bool
    ) -> dict[str, Any]:
        """Return what ``navigator.credentials.get`` takes, as JSON.

        Args:
            known: The user's keys; none where the key itself tells who comes.
            challenge: 256 random bits.
            is_alone: Whether the key is the only factor: it must check its holder.
        """
        verification = (
            UserVerificationRequirement.REQUIRED
            if is_alone
            else UserVerificationRequirement.PREFERRED
        )
        options = generate_authentication_options(
            rp_id=self._rp_id,
            challenge=challenge,
            timeout=_TIMEOUT_MS,
            allow_credentials=_descriptors(known),
            user_verification=verification,
        )
        return options_to_json_dict(options)

    def challenge_of(self, credential: Credential) -> bytes:
        """Return the challenge that an answer claims to be for.

        Raises:
            SecondFactorInvalidError: It is no answer, or one from inside a frame.
        """

        def read() -> bytes:
            raw = base64url_to_bytes(credential["response"]["clientDataJSON"])
            client = parse_client_data_json(raw)
            if client.cross_origin:
                raise ValueError("signed in a frame of another page")
            return client.challenge

        return _checked(read, SecondFactorInvalidError)

    def check_registration(
        self, credential: Credential, challenge: bytes
    ) -> NewCredential:
        """Check an answer to `registration_options`.

        Raises:
            PasskeyInvalidError: Wrong challenge, origin, relying party or form.
        """

        def check() -> NewCredential:
            found = verify_registration_response(
                credential=dict(credential),
                expected_challenge=challenge,
                expected_rp_id=self._rp_id,
                expected_origin=self._origin,
            )
            return NewCredential(
                bytes_to_base64url(found.credential_id),
                found.credential_public_key,
                found.sign_count,
                found.user_verified and _is_discoverable(credential),
            )

        return _checked(check, PasskeyInvalidError)

    def check_assertion(
        self,
        passkey: Passkey,
        credential: Credential,
        challenge: bytes,
        *,
        is_alone: bool,
    ) -> int:
        """Check a signature over a challenge.

        Returns:
            The authenticator's counter, which `Passkey.used` judges.

        Raises:
            SecondFactorInvalidError: Wrong challenge, origin, relying party, key or
                signature, or a holder who was not checked though they have to be.
        """

        def check() -> int:
            found = verify_authentication_response(
                credential=dict(credential),
                expected_challenge=challenge,
                expected_rp_id=self._rp_id,
                expected_origin=self._origin,
                credential_public_key=passkey.public_key,
                credential_current_sign_count=0,
                require_user_verification=is_alone,
            )
            return found.new_sign_count

        return _checked(check, SecondFactorInvalidError)


def user_of(credential: Credential) -> UserId:
    """Return whom a discoverable key says that it belongs to.

    Raises:
        SecondFactorInvalidError: It does not say so.
    """

    def read() -> UserId:
        return UserId(
            base64url_to_bytes(credential["response"]["userHandle"]).decode("ascii")
        )

    return _checked(read, SecondFactorInvalidError)


def _is_discoverable(credential: Credential) -> bool:
    """Tell what the browser says (credProps); a lie harms its teller alone."""
    extensions = credential.get("clientExtensionResults") or {}
    return bool((extensions.get("credProps") or {}).get("rk"))


def _checked(check: Callable[[], T], error: type[AppError]) -> T:
    try:
        return check()
    except _UNREADABLE:
        # Not chained: the library's message may quote what was sent.
        raise error() from None  # type: ignore[call-arg] # both take nothing


def _descriptors(known: Sequence[Passkey]) -> list[PublicKeyCredentialDescriptor]:
    return [
        PublicKeyCredentialDescriptor(id=base64url_to_bytes(passkey.credential_id))
        for passkey in known
    ]
