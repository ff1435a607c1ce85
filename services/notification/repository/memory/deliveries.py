"""The queue of deliveries, in memory."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from libs.kernel import (
    Clock,
    ConflictError,
    UserId,
    new_id,
)
from services.notification.domain.delivery import (
    MESSAGES_PER_MAIL,
    Channel,
    Delivery,
    DeliveryState,
)
from services.notification.ports import Session


@dataclass(frozen=True)
class Row:
    """A delivery as it is stored.

    Attributes:
        causes: Ids of the events it tells of.
        is_open: Whether it still takes messages.
        holder: Who has claimed it.
    """

    delivery: Delivery
    causes: tuple[str, ...]
    state: DeliveryState = DeliveryState.PENDING
    reason: str | None = None
    is_open: bool = False
    holder: str | None = None


class MemoryDeliveryRepository:
    """See `DeliveryRepository`.

    Attributes:
        rows: Everything that was ever queued, by delivery id.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.rows: dict[str, Row] = {}
        self._suppressed: dict[str, UserId | None] = {}

    async def add(
        self, deliveries: Sequence[Delivery], session: Session = None
    ) -> None:
        """Queue deliveries; (event, channel, target) is unique."""
        del session
        for delivery in deliveries:
            self._insert(delivery)

    async def add_to_mails(
        self, deliveries: Sequence[Delivery], session: Session = None
    ) -> None:
        """Add a message to each user's waiting mail of its conversation."""
        del session
        for delivery in deliveries:
            key = (delivery.target, delivery.conversation_id)
            row = next(
                (
                    row
                    for row in self.rows.values()
                    if row.is_open
                    and (row.delivery.target, row.delivery.conversation_id) == key
                ),
                None,
            )
            if row is None:
                self._insert(delivery, is_open=True)
            else:
                self._append(row, delivery)

    async def claim(
        self, channel: Channel, *, holder: str, limit: int, lease: timedelta
    ) -> list[Delivery]:
        """Take due deliveries, the longest due first, for the time of a lease."""
        now = self._clock.now()
        due = sorted(
            (
                row
                for row in self.rows.values()
                if row.state is DeliveryState.PENDING
                and row.delivery.channel is channel
                and row.delivery.due_at <= now
            ),
            key=lambda row: row.delivery.due_at,
        )[:limit]
        claim_id = new_id()
        for row in due:
            delivery = replace(
                row.delivery,
                due_at=now + lease,
                claims=row.delivery.claims + 1,
                claim_id=claim_id,
            )
            self._store(replace(row, delivery=delivery, is_open=False, holder=holder))
        ids = sorted(row.delivery.delivery_id for row in due)
        return [self.rows[delivery_id].delivery for delivery_id in ids]

    async def release(self, holder: str) -> int:
        """Make what a holder left claimed due at once; return how many."""
        held = [
            row
            for row in self.rows.values()
            if row.holder == holder and row.state is DeliveryState.PENDING
        ]
        for row in held:
            delivery = replace(row.delivery, due_at=self._clock.now(), claim_id=None)
            self._store(replace(row, delivery=delivery, holder=None))
        return len(held)

    async def settle(
        self,
        delivery: Delivery,
        state: DeliveryState,
        *,
        reason: str | None,
        now: datetime,
        session: Session = None,
    ) -> bool:
        """Make a claimed delivery final and forget its private content."""
        del now, session
        row = self._held(delivery)
        if row is None:
            return False
        settled = replace(row.delivery, notice=None, claim_id=None)
        self._store(
            replace(row, delivery=settled, state=state, reason=reason, holder=None)
        )
        return True

    async def put_back(
        self,
        delivery: Delivery,
        *,
        due_at: datetime,
        reason: str,
        attempts: int,
        unknowns: int,
        is_claim_counted: bool = True,
    ) -> None:
        """Give a claimed delivery back; nothing happens if the claim is lost."""
        row = self._held(delivery)
        if row is None:
            return
        back = replace(
            row.delivery,
            due_at=due_at,
            attempts=attempts,
            unknowns=unknowns,
            claims=row.delivery.claims - (not is_claim_counted),
            claim_id=None,
        )
        was_never_tried = attempts == 0 and not is_claim_counted
        collects = back.channel is Channel.EMAIL and back.conversation_id is not None
        is_open = was_never_tried and collects and not self._has_open_twin(back)
        self._store(
            replace(row, delivery=back, reason=reason, is_open=is_open, holder=None)
        )

    async def suppress(
        self,
        address: str,
        *,
        user_id: UserId | None,
        reason: str,
        now: datetime,
        session: Session = None,
    ) -> None:
        """Keep that an address is dead."""
        del reason, now, session
        self._suppressed[address.lower()] = user_id

    async def suppressed(self, addresses: Iterable[str]) -> set[str]:
        """Return which of some addresses are dead."""
        return {one for one in addresses if one.lower() in self._suppressed}

    async def pending(self) -> dict[Channel, int]:
        """Return how many deliveries wait, by channel."""
        waiting = [
            row.delivery.channel
            for row in self.rows.values()
            if row.state is DeliveryState.PENDING
        ]
        return {channel: waiting.count(channel) for channel in Channel}

    async def remove_suppressed_of(self, user_id: UserId, *, limit: int) -> int:
        """Forget some dead addresses of a user; return how many."""
        own = [one for one, owner in self._suppressed.items() if owner == user_id]
        for address in own[:limit]:
            del self._suppressed[address]
        return len(own[:limit])

    async def remove_pending_of(self, user_id: UserId, *, limit: int) -> int:
        """Remove some of a user's waiting deliveries; return how many."""
        own = [
            key
            for key, row in self.rows.items()
            if row.delivery.user_id == user_id and row.state is DeliveryState.PENDING
        ]
        for key in own[:limit]:
            del self.rows[key]
        return len(own[:limit])

    def _insert(self, delivery: Delivery, *, is_open: bool = False) -> None:
        cause = delivery.origin.event_id
        for row in self.rows.values():
            known = row.delivery
            if cause in row.causes and (known.channel, known.target) == (
                delivery.channel,
                delivery.target,
            ):
                raise ConflictError(
                    "delivery_exists", "The event was turned into deliveries before."
                )
        self._store(Row(delivery, (cause,), is_open=is_open))

    def _append(self, row: Row, added: Delivery) -> None:
        known = row.delivery
        messages = (*known.messages, *added.messages)
        count = len(messages) + known.more_count
        kept = messages[:MESSAGES_PER_MAIL]
        delivery = replace(known, messages=kept, more_count=count - len(kept))
        causes = (*row.causes, added.origin.event_id)[:MESSAGES_PER_MAIL]
        self._store(replace(row, delivery=delivery, causes=causes))

    def _held(self, delivery: Delivery) -> Row | None:
        row = self.rows.get(delivery.delivery_id)
        is_held = (
            row is not None
            and row.state is DeliveryState.PENDING
            and row.delivery.claim_id == delivery.claim_id
        )
        return row if is_held else None

    def _has_open_twin(self, delivery: Delivery) -> bool:
        return any(
            row.is_open
            and row.delivery.target == delivery.target
            and row.delivery.conversation_id == delivery.conversation_id
            for row in self.rows.values()
        )

    def _store(self, row: Row) -> None:
        self.rows[row.delivery.delivery_id] = row
