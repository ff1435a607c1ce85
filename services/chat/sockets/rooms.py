"""Rooms of this process: one encoding, one frame, every socket."""

from collections.abc import Collection, Iterable, Mapping

from prometheus_client import Counter

from libs.kernel import SessionId, UserId
from services.chat.sockets.client import Client
from services.chat.sockets.frames import encode_event, encode_payload

_DELIVERED = Counter("chat_live_deliveries_total", "Events written to sockets")


class LocalRooms:
    """Implements `Rooms`."""

    def __init__(self) -> None:
        self._rooms: dict[str, set[Client]] = {}
        self._clients: dict[str, Client] = {}
        self._sessions: dict[SessionId, set[Client]] = {}
        self._users: dict[UserId, int] = {}

    def add(self, client: Client) -> None:
        """Take in a client."""
        self._clients[client.sid] = client
        self._sessions.setdefault(client.session_id, set()).add(client)
        self._users[client.user_id] = self._users.get(client.user_id, 0) + 1

    def remove(self, client: Client) -> None:
        """Forget a client and take it out of all its rooms."""
        if self._clients.pop(client.sid, None) is None:
            return
        for room in tuple(client.rooms):
            self.leave(room, client)
        session = self._sessions[client.session_id]
        session.discard(client)
        if not session:
            del self._sessions[client.session_id]
        self._users[client.user_id] -= 1
        if not self._users[client.user_id]:
            del self._users[client.user_id]

    def client(self, sid: str) -> Client | None:
        """Return the client of a Socket.IO id."""
        return self._clients.get(sid)

    def clients(self) -> list[Client]:
        """Return every client."""
        return list(self._clients.values())

    def of_session(self, session_id: SessionId) -> list[Client]:
        """Return the clients of a session."""
        return list(self._sessions.get(session_id, ()))

    def count_of(self, user_id: UserId) -> int:
        """Return how many clients a user has here."""
        return self._users.get(user_id, 0)

    def enter(self, room: str, client: Client) -> bool:
        """Let a client into a room; tell whether it was not in it."""
        if room in client.rooms:
            return False
        client.rooms.add(room)
        self._rooms.setdefault(room, set()).add(client)
        return True

    def leave(self, room: str, client: Client) -> bool:
        """Take a client out of a room; tell whether it was in it."""
        if room not in client.rooms:
            return False
        client.rooms.discard(room)
        members = self._rooms[room]
        members.discard(client)
        if not members:
            del self._rooms[room]
        return True

    def has(self, room: str) -> bool:
        """Tell whether a socket of this process is in the room."""
        return room in self._rooms

    def encode(self, payload: Mapping[str, object]) -> bytes:
        """Return a payload as it is written."""
        return encode_payload(payload)

    def emit(
        self,
        rooms: tuple[str, ...],
        event: str,
        payload: Mapping[str, object] | bytes,
        *,
        except_users: Collection[UserId] = (),
    ) -> int:
        """Write an event once to every socket of some rooms; return to how many."""
        present = [self._rooms[room] for room in rooms if room in self._rooms]
        if not present:
            return 0
        clients: Iterable[Client] = tuple(
            present[0] if len(present) == 1 else set().union(*present)
        )
        frame = encode_event(event, payload)
        count = 0
        for client in clients:
            if client.user_id not in except_users:
                client.socket.send_frame(frame)
                count += 1
        _DELIVERED.inc(count)
        return count

    def clear(self, room: str) -> int:
        """Take every socket out of a room; return how many they were."""
        leaving = tuple(self._rooms.get(room, ()))
        return sum(self.leave(room, client) for client in leaving)

    def remove_user(self, room: str, user_id: UserId) -> int:
        """Take a user's sockets out of a room; return how many they were."""
        members = self._rooms.get(room, set())
        leaving = [client for client in members if client.user_id == user_id]
        return sum(self.leave(room, client) for client in leaving)
