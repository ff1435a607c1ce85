"""Choose the runner of a subscription."""

from libs.events.bus import Subscription
from libs.events.consuming.batch import BatchRunner
from libs.events.consuming.ports import Courier, Effects
from libs.events.consuming.runner import Runner, SingleRunner


def make_runner(
    subscription: Subscription,
    queue: str,
    *,
    effects: Effects,
    courier: Courier,
    app: object,
) -> Runner:
    """Return a runner for single events, or for batches where `max_batch` is set."""
    runner = BatchRunner if subscription.max_batch else SingleRunner
    return runner(subscription, queue, effects=effects, courier=courier, app=app)
