"""What may share a transaction: what came together, or while others ran."""

import asyncio

from libs.events.consuming import arrivals as arrivals_module
from libs.events.consuming.arrivals import Arrivals


async def turn():
    """Let the loop do what is due."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def test_one_turn_of_the_loop_goes_on_together():
    """Nothing waits while nothing is under way."""
    laid_out = []
    arrivals = Arrivals(laid_out.append)
    arrivals.put(["a"], may_wait=True)
    arrivals.put(["b"], may_wait=True)
    assert laid_out == []
    await turn()
    arrivals.put(["c"], may_wait=True)
    await turn()
    assert laid_out == [[["a"], ["b"]], [["c"]]]


async def test_the_end_of_a_transaction_lets_go_on_what_waited():
    """Slow handlers' events never wait; of the others each in its order."""
    laid_out = []
    arrivals = Arrivals(laid_out.append)
    with arrivals.transaction():
        with arrivals.transaction():
            arrivals.put(["a"], may_wait=True)
            await turn()
            assert laid_out == []
        assert laid_out == [[["a"]]]
        with arrivals.transaction():
            arrivals.put(["b"], may_wait=True)
            arrivals.put(["c"], may_wait=False)
            await turn()
            assert laid_out == [[["a"]], [["b"], ["c"]]]


async def test_a_handler_that_hangs_holds_nobody_up_for_long(monkeypatch):
    """After a moment the others go on beside it."""
    monkeypatch.setattr(arrivals_module, "_MOST_SECONDS", 0.001)
    done = asyncio.Event()
    arrivals = Arrivals(lambda _: done.set())
    with arrivals.transaction(), arrivals.transaction():
        arrivals.put(["a"], may_wait=True)
        await asyncio.wait_for(done.wait(), 10)
