"""From event to push and mail, with every outcome a provider can have."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from libs.kernel import UserId
from services.notification.delivery.composer import TemplateComposer
from services.notification.delivery.memory import MemoryPushSender
from services.notification.domain.conversations import MembershipChange, ReadMark
from services.notification.domain.delivery import (
    Channel,
    Outcome,
    Postponed,
    Rejected,
    Unknown,
    Unreachable,
)
from services.notification.domain.people import Presence
from services.notification.ports import Push
from services.notification.service.desk import PushDesk
from tests.support.firing import Watched, assert_fires
from tests.unit.notification.conftest import House


class SlowPushSender(MemoryPushSender):
    """Takes nearly as long as a lease lasts."""

    def __init__(self, house: House) -> None:
        super().__init__()
        self._clock = house.clock

    async def send(self, pushes: Sequence[Push]) -> list[Outcome]:
        """Let time pass first."""
        self._clock.advance(timedelta(seconds=39))
        return await super().send(pushes)


async def pair(house: House) -> tuple[UserId, UserId, str]:
    """Return Ada, Bob and their conversation."""
    ada, bob = await house.member("Ada"), await house.member("Bob")
    return ada, bob, await house.converse(ada, bob)


async def test_somebody_away_gets_push_then_mail(house: House) -> None:
    """The push at once, the mail after its delay, each told of once."""
    ada, bob, conversation = await pair(house)
    before = len(house.sent)
    await house.say(conversation, ada)

    await house.tick()
    await house.tick(60)
    await house.tick(600)

    assert [push.token for push in house.push.sent] == ["token-of-Bob"]
    assert [mail.address for mail in house.mail.sent] == ["bob@example.org"]
    told = house.sent[before:]
    assert [(one.channel, one.user_id) for one in told] == [
        ("push", bob),
        ("email", bob),
    ]


async def test_who_is_reading_is_left_alone(house: House) -> None:
    """Online and reading within the grace: neither push nor mail."""
    ada, bob, conversation = await pair(house)
    await house.come(bob, Presence.ONLINE)
    await house.say(conversation, ada)

    await house.tick(1)
    await house.conversations.put_reads([ReadMark(conversation, bob, 1)])
    await house.tick(2)
    await house.tick(600)

    assert house.push.tried == []
    assert house.mail.sent == []
    assert house.state("push") == [("cancelled", "read")]


async def test_who_is_online_and_does_not_read_is_told(house: House) -> None:
    """After the grace by push; by mail only when they are gone."""
    ada, bob, conversation = await pair(house)
    await house.come(bob, Presence.ONLINE)
    await house.say(conversation, ada)

    await house.tick(2)
    await house.tick(60)
    assert (len(house.push.sent), len(house.mail.sent)) == (1, 0)

    await house.come(bob, Presence.OFFLINE)
    await house.tick(60)
    assert len(house.mail.sent) == 1


async def test_an_online_reader_gets_one_mail_for_all(house: House) -> None:
    """A mail that is put off goes on gathering."""
    ada, bob, conversation = await pair(house)
    await house.come(bob, Presence.ONLINE)
    await house.say(conversation, ada, 1)
    await house.tick(61)
    await house.say(conversation, ada, 2)
    await house.tick(61)
    await house.come(bob, Presence.AWAY)
    await house.tick(61)

    [mail] = house.mail.sent
    assert mail.text.count("hello") == 2


async def test_what_was_read_in_part_is_mailed_in_part(house: House) -> None:
    """Only what is still unread stands in the mail."""
    ada, bob, conversation = await pair(house)
    for seq in (1, 2, 3):
        await house.say(conversation, ada, seq, body=f'{{"text":"words {seq}"}}')
    await house.conversations.put_reads([ReadMark(conversation, bob, 2)])

    await house.tick(60)

    [mail] = house.mail.sent
    assert "words 3" in mail.text
    assert "words 2" not in mail.text


async def test_a_retry_keeps_its_id(house: House) -> None:
    """Refused for now: later again, with the same Message-ID and the same words."""
    ada, _, conversation = await pair(house)
    await house.say(conversation, ada)
    house.mail.outcomes = [Postponed("smtp_451")]

    await house.tick(60)
    await house.tick(1)
    assert house.mail.sent == []
    await house.tick(3)

    first, second = house.mail.tried[-2:]
    assert first == second
    assert house.state("email")[-1] == ("sent", None)


async def test_two_lost_answers_are_the_end(house: House) -> None:
    """Two copies may be out: there is no third."""
    ada, _, conversation = await pair(house)
    await house.say(conversation, ada)
    house.push.outcomes = [Unknown("fcm_no_answer")] * 5

    for _ in range(10):
        await house.tick(30)

    assert len(house.push.tried) == 2
    assert house.state("push") == [("failed", "unconfirmed")]
    assert house.failed[-1].reason == "unconfirmed"


@pytest.mark.parametrize(
    ("outcome", "is_kept"),
    [
        (Rejected("fcm_unregistered", is_target_dead=True), False),
        (Rejected("fcm_invalid_argument"), True),
    ],
)
async def test_a_refused_push_is_never_repeated(
    house: House, outcome: Outcome, is_kept: object
) -> None:
    """A dead token loses its device at the first answer; a bad push does not."""
    ada, bob, conversation = await pair(house)
    await house.say(conversation, ada)
    house.push.outcomes = [outcome]

    for _ in range(5):
        await house.tick(30)

    assert len(house.push.tried) == 1
    assert bool(await house.devices.of_user(bob)) is is_kept


async def test_a_dead_address_is_suppressed(house: House) -> None:
    """The next mail to it is given up without a try."""
    ada, _, conversation = await pair(house)
    house.mail.outcomes = [Rejected("smtp_550", is_target_dead=True)]
    await house.say(conversation, ada, 1)
    await house.tick(60)
    tried = len(house.mail.tried)

    await house.say(conversation, ada, 2)
    await house.tick(60)

    assert len(house.mail.tried) == tried
    assert [one.reason for one in house.failed] == ["smtp_550", "address_suppressed"]


async def test_retry_after_pauses_the_channel(house: House) -> None:
    """Nothing at all is sent before the provider wants it."""
    ada, _, conversation = await pair(house)
    house.push.outcomes = [
        Unreachable("fcm_429", timedelta(seconds=40), is_attempt=True)
    ]
    await house.say(conversation, ada, 1)
    await house.tick()
    await house.say(conversation, ada, 2)

    await house.tick(39)
    assert len(house.push.tried) == 1
    for _ in range(20):
        await house.tick(1)

    assert len(house.push.sent) == 2


async def test_an_unreachable_server_costs_no_try(house: House) -> None:
    """Mail goes out soon after it is back, however long it was away."""
    ada, _, conversation = await pair(house)
    await house.say(conversation, ada)
    house.mail.outcomes = [Unreachable("smtp_unreachable")] * 30
    watched = Watched("notification")
    watched.look()
    house.clock.advance(timedelta(seconds=60))
    while house.mail.outcomes:
        await house.tick(5)
    watched.look()
    assert_fires("DeliveriesFail", watched)

    await house.tick(31)

    assert len(house.mail.sent) == 1


async def test_what_is_too_old_is_dropped(house: House) -> None:
    """No storm of old pushes when the provider comes back."""
    ada, _, conversation = await pair(house)
    await house.say(conversation, ada)

    await house.tick(3600)

    assert house.push.tried == []
    assert house.state("push") == [("expired", "expired")]
    assert house.failed[-1].reason == "expired"


async def test_a_crash_before_the_answer_is_stored(house: House) -> None:
    """The delivery is due again after its lease, with the same id."""
    ada, _, conversation = await pair(house)
    await house.say(conversation, ada)
    house.clock.advance(timedelta(seconds=60))
    [lost] = await house.deliveries.claim(
        Channel.EMAIL, holder="dead-1", limit=1, lease=timedelta(seconds=40)
    )

    await house.tick(39)
    assert house.mail.sent == []
    await house.tick(1)

    assert [mail.mail_id for mail in house.mail.sent] == [lost.delivery_id]


async def test_a_removed_member_gets_nothing_that_waits(house: House) -> None:
    """Removal between decision and send cancels."""
    ada, bob, conversation = await pair(house)
    await house.say(conversation, ada)
    await house.conversations.put_memberships(
        [MembershipChange(conversation, bob, revision=9, is_member=False)]
    )

    await house.tick(60)

    assert house.push.tried == []
    assert house.state("push") == [("cancelled", "not_a_member")]


async def test_a_moved_device_gets_nothing_of_its_old_owner(house: House) -> None:
    """The push is cancelled when its device is another user's now."""
    ada, bob, conversation = await pair(house)
    [device] = await house.devices.of_user(bob)
    await house.say(conversation, ada)
    await house.devices.register(
        ada,
        token=device.token,
        platform=device.platform,
        name="Mine",
        now=house.clock.now(),
    )

    await house.tick()

    assert house.push.tried == []
    assert house.state("push") == [("cancelled", "no_target")]


async def test_a_stopping_dispatcher_gives_back(house: House) -> None:
    """What was claimed and not begun is due for another process at once."""
    ada, _, conversation = await pair(house)
    await house.say(conversation, ada)

    await house.pushes.stop()
    await house.pushes.run_once()
    await house.pushes.run()

    assert house.push.tried == []
    [claimed] = await house.deliveries.claim(
        Channel.PUSH, holder="next", limit=9, lease=timedelta(seconds=1)
    )
    assert (claimed.claims, claimed.attempts) == (1, 0)


async def test_a_slow_group_leaves_the_rest_to_others(house: House) -> None:
    """What cannot be begun within the lease is given back, not sent twice."""
    ada, _, conversation = await pair(house)
    for seq in range(1, 4):
        await house.say(conversation, ada, seq)
    slow = SlowPushSender(house)
    dispatcher = house.dispatcher(
        PushDesk(
            composer=TemplateComposer("https://chat.example.org"),
            sender=slow,
            devices=house.devices,
            group_size=1,
        )
    )

    await dispatcher.run_once()

    assert len(slow.sent) == 1
    assert house.state("push").count(("pending", "not_begun")) == 2
