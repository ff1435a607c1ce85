"""Choose the runner of a subscription."""

from libs.events.bus import Subscription
from libs.events.consuming.batch import BatchRunner
from libs.events.consuming.ordered import OrderedRunner
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
    """Return a runner for single events, batches, or the events of a key in order."""
    if subscription.is_ordered:
        ordered = OrderedRunner(
            subscription, queue, effects=effects, courier=courier, app=app
        )
        ordered.start()
        return ordered
    runner = BatchRunner if subscription.max_batch else SingleRunner
    return runner(subscription, queue, effects=effects, courier=courier, app=app)
