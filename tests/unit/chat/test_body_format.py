"""A message's content at rest: what it is bound to, and its first format."""

import pytest

from libs.crypto import (
    DataKeys,
    DecryptError,
    FileKeyWrapper,
    KeyRing,
    additional_data,
    encrypt,
)
from libs.kernel import FrozenClock
from services.chat.repository.key_chains import KeyChains, RenewalLimits
from services.chat.repository.vault import (
    ConversationVault,
    KeyNotLoadedError,
    MessagePlace,
)

PLACE = MessagePlace("c", "m", "ann", 1)


@pytest.fixture
async def vault():
    """A vault that knows two conversations under one ring."""
    made = ConversationVault(DataKeys(FileKeyWrapper(KeyRing.generate())))
    for conversation_id in ("c", "d"):
        await made.create(conversation_id, FrozenClock().now())
    return made


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"conversation_id": "d"},
        {"message_id": "n"},
        {"sender_id": "bob"},
        {"version": 0},
        {"version": 2},
    ],
)
async def test_a_body_opens_in_its_place_alone(vault, elsewhere) -> None:
    """Another conversation, message, sender or version of it is refused (CR-2)."""
    body = vault.seal_body(PLACE, "said")
    assert vault.open_body(PLACE, body) == "said"
    with pytest.raises((DecryptError, KeyNotLoadedError)):  # the other's keys differ
        vault.open_body(PLACE._replace(**elsewhere), body)


async def test_the_first_format_still_opens() -> None:
    """It was bound to conversation, message and sender, under the same keys."""
    keys = DataKeys(FileKeyWrapper(KeyRing.generate()))
    chains = KeyChains(keys, RenewalLimits(), 1)
    stored = await chains.made("c", FrozenClock().now(), 0)
    document = {"_id": "c", "key_id": stored["id"], "keys": [stored]}
    await chains.learn(document)
    key_id, key = chains.sealing("c")
    bound = additional_data("parley.chat.body.1", "c", "m", "ann", key_id)
    old = {"k": key_id, "c": encrypt(key, b"said", bound)}
    vault = ConversationVault(keys)
    await vault.learn(document)
    assert vault.open_body(PLACE, old) == "said"
    with pytest.raises(DecryptError):
        vault.open_body(PLACE._replace(sender_id="bob"), old)
    with pytest.raises(DecryptError):  # it does not pass for the present one
        vault.open_body(PLACE, {**old, "f": 2})
