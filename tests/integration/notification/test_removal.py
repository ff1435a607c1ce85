"""What erasure needs of the stores: one contract, in memory and on MongoDB."""

import pytest

from libs.kernel import ConversationId, UserId, new_id
from services.notification.domain.devices import Platform
from tests.integration.notification.test_repositories import (
    Stores,
    claim,
    entry,
    mail,
    now,
    stores,
)

pytestmark = pytest.mark.integration
__all__ = ["stores"]


async def test_what_is_a_persons_own_is_removed_in_steps(stores: Stores) -> None:
    """Entries, devices, waiting deliveries, dead addresses; others' stay."""
    ada, bob, conversation = (
        UserId(new_id()),
        UserId(new_id()),
        ConversationId(new_id()),
    )
    entries = [entry(one, conversation, seq) for seq in (1, 2) for one in (ada, bob)]
    await stores.notifications.add(entries)
    mails = [mail(one, ConversationId(new_id())) for one in (ada, ada, bob)]
    await stores.deliveries.add(mails)
    for one in (ada, bob):
        await stores.devices.register(
            one, token=new_id(), platform=Platform.IOS, name="Phone", now=now()
        )

    dead = [f"{new_id()}@example.org" for _ in range(3)]
    for address, one in zip(dead, (ada, ada, bob), strict=True):
        await stores.deliveries.suppress(address, user_id=one, reason="x", now=now())

    for remove, own in (
        (stores.notifications.remove_of, 2),
        (stores.devices.remove_of, 1),
        (stores.deliveries.remove_pending_of, 2),
        (stores.deliveries.remove_suppressed_of, 2),
    ):
        counts = [await remove(ada, limit=1) for _ in range(own + 1)]
        assert counts == [1] * own + [0]

    kept = await stores.notifications.page(bob, before_id=None, limit=9, is_unread=None)
    assert len(kept) == 2
    assert len(await stores.devices.of_user(bob)) == 1
    assert [one.user_id for one in await claim(stores)] == [bob]
    assert await stores.deliveries.suppressed(dead) == {dead[2]}
