"""What the gateway listens to: sessions that end, as they end."""

from libs.chassis.sessions import SessionWatch
from libs.events import Context, Worker
from libs.events.catalog import SessionRevoked

worker = Worker("gateway")


@worker.subscribe_live(SessionRevoked, name="sessions")
async def refuse_session(event: SessionRevoked, context: Context) -> None:
    """Refuse a session's tokens from now on."""
    watch: SessionWatch = context.app
    await watch.handle_event(event)
