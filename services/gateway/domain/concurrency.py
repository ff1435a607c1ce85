"""How many requests are served at once, and who is refused first when it is too many.

A limit on what is under way refuses before queues grow (Google SRE book, chapter 21,
"Handling overload": criticality; Netflix concurrency-limits: partitions by priority).
It is fixed: a limit learnt from latency needs routes that take alike, and here a
sign-in takes a hundred times what a read takes, an upload minutes (ADR 0043).
"""

from collections import Counter

from services.gateway.domain.errors import OverloadedError, TooManyAtOnceError
from services.gateway.domain.route import Priority

_SHARES: dict[Priority, float] = {"high": 1.0, "normal": 0.8, "low": 0.5}
_RETRY_SECONDS: dict[Priority, int] = {"high": 1, "normal": 2, "low": 5}
_SERVICE_SHARE = 0.5


class Shares:
    """How much of what is under way one holder may have: one address, or one user.

    Args:
        most: Requests at once.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: dict[str, int] = {}

    def take(self, holder: str) -> None:
        """Take one more for a holder, which is then to be given back by `free`.

        Raises:
            TooManyAtOnceError: It has its share.
        """
        held = self._held.get(holder, 0)
        if held >= self._most:
            raise TooManyAtOnceError
        self._held[holder] = held + 1

    def free(self, holder: str) -> None:
        """Give one back; who holds nothing is forgotten."""
        held = self._held[holder] - 1
        if held:
            self._held[holder] = held
        else:
            del self._held[holder]


class Place:
    """A place that was taken: for a service, from an address, perhaps for a user."""

    __slots__ = ("_address", "_places", "_service", "_user_id")

    def __init__(self, places: "Places", service: str, address: str) -> None:
        self._places = places
        self._service = service
        self._address = address
        self._user_id: str | None = None

    def give_to(self, user_id: str) -> None:
        """Count it for a user too, as soon as it is known who asks.

        Raises:
            TooManyAtOnceError: The user has as many as one may have.
        """
        self._places.users.take(user_id)
        self._user_id = user_id

    def free(self) -> None:
        """Give it back; once."""
        self._places.free(self._service)
        self._places.addresses.free(self._address)
        if self._user_id is not None:
            self._places.users.free(self._user_id)


class Places:
    """The places for requests under way.

    The lower its priority, the earlier a request finds none: low ones when half of the
    places are taken, normal ones at four fifths. One service takes half of them at
    most, by the same shares, so that others are served while it hangs. One address and
    one user have a share each: who sends bodies slowly takes nobody else's place.

    Args:
        total: Places in all.
        addresses: What one address may have of them.
        users: What one user may have of them.
    """

    def __init__(self, total: int, addresses: Shares, users: Shares) -> None:
        self._total = total
        self._taken = 0
        self._by_service: Counter[str] = Counter()
        self.addresses = addresses
        self.users = users

    @property
    def taken(self) -> int:
        """How many requests are under way."""
        return self._taken

    def take(self, service: str, priority: Priority, address: str) -> Place:
        """Take a place, which is then to be freed.

        Raises:
            OverloadedError: There is none for this priority.
            TooManyAtOnceError: The address has as many as one may have.
        """
        share = self._total * _SHARES[priority]
        if self._taken >= share or self._by_service[service] >= share * _SERVICE_SHARE:
            raise OverloadedError(_RETRY_SECONDS[priority])
        self.addresses.take(address)
        self._taken += 1
        self._by_service[service] += 1
        return Place(self, service, address)

    def free(self, service: str) -> None:
        """Give a service's place back; called by the place."""
        self._taken -= 1
        self._by_service[service] -= 1
