"""Every request model, with everything it must not take."""

import inspect

import pytest
from pydantic import ValidationError

from services.auth import schemas

GOOD = {
    "PasswordRequest": {
        "current_password": "correct horse battery",
        "new_password": "another horse battery",
    },
    "ResetRequest": {"token": "x" * 43, "password": "correct horse battery"},
    "InviteRequest": {"email": "b@example.test", "role": "guest", "locale": "de"},
    "AcceptInviteRequest": {
        "token": "x" * 43,
        "password": "correct horse battery",
        "display_name": "Bob",
        "locale": "de",
    },
    "PasswordStrengthRequest": {
        "password": "correct horse battery",
        "email": "a@example.test",
        "display_name": "Ann",
    },
    "RegisterRequest": {
        "email": "ann@example.test",
        "password": "correct horse battery",
        "display_name": "Ann",
        "locale": "en",
    },
    "VerifyRequest": {"token": "x" * 43, "password": "correct horse battery"},
    "LinkRequest": {"token": "x" * 43},
    "VerificationRequest": {"email": "ann@example.test"},
    "LoginRequest": {
        "email": "ann@example.test",
        "password": "correct horse battery",
        "device_name": "phone",
    },
    "RefreshRequest": {"refresh_token": "x"},
    "ProfileRequest": {
        "display_name": "Ann",
        "locale": "en",
        "time_zone": "UTC",
        "status_text": "here",
    },
    "HandleRequest": {"handle": "ann"},
    "BotRequest": {
        "display_name": "Builder",
        "handle": "builder",
        "role": "member",
        "reason": "for the build",
    },
    "BotTokenRequest": {
        "name": "ci",
        "scopes": ["files:read"],
        "expires_in_days": 30,
        "reason": "for the build",
    },
    "AvatarRequest": {"document_id": "x" * 36},
    "PreferencesRequest": {
        "theme": "dark",
        "message_density": "compact",
        "clock_format": "24h",
        "has_reduced_motion": True,
        "sends_with_enter": False,
        "client_settings": {"web.sidebar": 240},
    },
    "CodeRequest": {"code": "c", "code_verifier": "v" * 43},
    "ExchangeRequest": {
        "code": "c",
        "code_verifier": "v" * 43,
        "device_name": "phone",
    },
    "PendingRequest": {"pending_token": "x" * 43},
    "PendingCodeRequest": {"pending_token": "x" * 43, "code": "123456"},
    "TotpCodeRequest": {"code": "123456"},
    "FinishRequest": {"pending_token": "x" * 43, "totp_code": "123456"},
    "PasskeyRequest": {
        "name": "key",
        "credential": {
            "id": "AA",
            "rawId": "AA",
            "type": "public-key",
            "response": {"clientDataJSON": "AA", "attestationObject": "AA"},
        },
    },
    "PendingPasskeyRequest": {
        "pending_token": "x" * 43,
        "name": "key",
        "credential": {
            "id": "AA",
            "rawId": "AA",
            "type": "public-key",
            "response": {"clientDataJSON": "AA", "attestationObject": "AA"},
            "clientExtensionResults": {"credProps": {"rk": True}},
        },
    },
    "SecondFactorPolicyRequest": {"roles": ["admin"], "reason": "since last week"},
    "PasskeyNameRequest": {"name": "key"},
    "PasskeyLoginRequest": {
        "credential": {
            "id": "AA",
            "rawId": "AA",
            "type": "public-key",
            "response": {
                "clientDataJSON": "AA",
                "authenticatorData": "AA",
                "signature": "AA",
            },
        },
        "device_name": "phone",
    },
    "PersonalTokenRequest": {"name": "bot", "scopes": ["files:read"]},
    "TokenExchangeRequest": {"token": "x"},
    "TokenHashRequest": {"token_hash": "0" * 64},
    "StepUpRequest": {"password": "correct horse battery"},
    "ReasonRequest": {"reason": "left the firm"},
    "RolesRequest": {"roles": ["member"], "reason": "left the firm"},
    "EndSessionsRequest": {"session_id": "x" * 36, "reason": "lost a phone"},
    "EmailLookupRequest": {"email": "ann@example.test"},
    "DeletionRequest": {"email": "ann@example.test"},
    "RoleRequest": {
        "description": "first line",
        "permissions": ["users.read"],
        "reason": "a new team",
    },
}
SERVER_FIELDS = (
    "_id",
    "user_id",
    "role",
    "roles",
    "status",
    "revision",
    "verified_at",
    "created_at",
    "password_hash",
    "email_index",
    "key_id",
    "mfa",
    "quota",
    "is_admin",
    "$set",
)
HOSTILE = (
    {"$ne": ""},
    {"$gt": ""},
    {"$regex": ".*"},
    {"$where": "1"},
    [],
    ["x"],
    0,
    1.5,
    True,
    b"x",
)
MODELS = sorted(
    name
    for name, model in inspect.getmembers(schemas, inspect.isclass)
    if name.endswith("Request") and not name.startswith("_")
)
LISTS = {"roles", "permissions"}
MAY_BE_EMPTY = {("SecondFactorPolicyRequest", "roles")}
FLAGS = {"has_reduced_motion", "sends_with_enter"}
FIELDS = [(name, field) for name in MODELS for field in GOOD[name]]


def test_every_request_model_is_covered():
    """A new request model needs its row here."""
    assert set(MODELS) == set(GOOD)


@pytest.mark.parametrize("name", MODELS)
def test_good_request_is_accepted(name):
    """The rows the other tests spoil are fine themselves."""
    assert getattr(schemas, name).model_validate(GOOD[name])


@pytest.mark.parametrize("field", SERVER_FIELDS)
@pytest.mark.parametrize("name", MODELS)
def test_ma_1_server_field_is_refused(name, field):
    """MA-1: unknown fields are forbidden, those of the server first of all."""
    with pytest.raises(ValidationError):
        getattr(schemas, name).model_validate(GOOD[name] | {field: "x"})


@pytest.mark.parametrize("value", HOSTILE, ids=repr)
@pytest.mark.parametrize(("name", "field"), FIELDS)
def test_ni_1_operator_in_a_scalar_is_refused(name, field, value):
    """NI-1: a text is a text; nothing is converted to one."""
    if field in LISTS and value == ["x"]:
        value = [{"$ne": ""}]
    if (name, field) in MAY_BE_EMPTY and value == []:
        value = [[]]
    if field in FLAGS and value is True:
        value = 1
    with pytest.raises(ValidationError):
        getattr(schemas, name).model_validate(GOOD[name] | {field: value})


@pytest.mark.parametrize(("name", "field"), FIELDS)
def test_every_text_is_bounded(name, field):
    """HT-1: no field takes a text of any length."""
    with pytest.raises(ValidationError):
        getattr(schemas, name).model_validate(GOOD[name] | {field: "x" * 1_000})


def test_ma_2_no_response_names_a_secret():
    """MA-2: what is stored beside a profile is in no response model."""
    forbidden = ("hash", "secret", "password", "index", "seed", "pepper")
    names = {
        field
        for _, model in inspect.getmembers(schemas, inspect.isclass)
        if model.__name__.endswith("Response")
        for field in model.model_fields
    }
    assert not [name for name in names if any(word in name for word in forbidden)]


@pytest.mark.parametrize(("length", "is_accepted"), [(7, False), (8, True)])
def test_pw_2_short_password_is_a_matter_of_shape(length, is_accepted):
    """PW-2: what is too short for every role is refused by its shape."""
    body = GOOD["RegisterRequest"] | {"password": "😀" * length}
    if is_accepted:
        assert schemas.RegisterRequest.model_validate(body)
    else:
        with pytest.raises(ValidationError):
            schemas.RegisterRequest.model_validate(body)
