"""Whom to ask of several instances, and whether to ask once more."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.kernel import FrozenClock
from services.gateway.domain.errors import (
    UpstreamFailedError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)
from services.gateway.domain.instances import Instances
from services.gateway.domain.retrying import RetryBudget, may_retry

A, B, C = "http://a:1", "http://b:1", "http://c:1"


@pytest.fixture
def clock():
    """A clock that stands."""
    return FrozenClock()


def test_the_least_busy_is_asked(clock):
    """Outstanding requests decide."""
    instances = Instances([A, B, C], clock)
    for _ in range(3):
        instances.pick().outstanding += 1
    busy = instances.pick()
    busy.outstanding += 1
    assert sorted(one.outstanding for one in {instances.pick(), busy}) == [1, 2]


def test_equals_take_turns(clock):
    """With nothing outstanding nobody is asked twice before all were asked."""
    instances = Instances([A, B, C], clock)
    assert {instances.pick().base_url for _ in range(3)} == {A, B, C}


def test_three_failures_in_a_row_give_a_rest(clock):
    """HT-6: who cannot be reached is left alone, longer each time, then tried."""
    instances = Instances([A, B], clock)
    failing = instances.pick()
    for _ in range(3):
        instances.failed(failing)
    assert {instances.pick().base_url for _ in range(4)} == {A, B} - {failing.base_url}
    clock.advance(timedelta(seconds=2))
    assert failing in {instances.pick(), instances.pick()}
    instances.failed(failing)
    clock.advance(timedelta(seconds=3))
    assert failing not in {instances.pick(), instances.pick()}
    clock.advance(timedelta(seconds=1))
    assert failing in {instances.pick(), instances.pick()}
    instances.answered(failing)
    instances.failed(failing)
    assert failing in {instances.pick(), instances.pick()}


def test_what_fails_together_gives_one_rest(clock):
    """Each try after a rest doubles it, however many requests were the try."""
    instances = Instances([A, B], clock)
    failing = next(one for one in (instances.pick(), instances.pick()))
    for _ in range(9):
        instances.failed(failing)
    clock.advance(timedelta(seconds=2))
    assert failing in {instances.pick(), instances.pick()}
    for _ in range(9):
        instances.failed(failing)
    clock.advance(timedelta(seconds=3.9))
    assert failing not in {instances.pick(), instances.pick()}
    clock.advance(timedelta(seconds=0.1))
    assert failing in {instances.pick(), instances.pick()}


def test_f18_one_that_leaves_is_asked_if_there_is_no_other(clock):
    """F18: it still answers; who answers again without leaving is awake."""
    instances = Instances([A, B], clock)
    first, second = instances.pick(), instances.pick()
    instances.leaves(first)
    assert {instances.pick(), instances.pick()} == {second}
    clock.advance(timedelta(seconds=1))
    instances.leaves(second)
    assert instances.pick() is first
    instances.answered(second)
    assert {instances.pick(), instances.pick()} == {second}


def test_if_all_rest_one_is_tried_all_the_same(clock):
    """A wrong guess about everybody must not close a service."""
    instances = Instances([A, B], clock)
    for _ in range(3):
        for one in (instances.pick(), instances.pick()):
            instances.failed(one)
    assert instances.pick().base_url in {A, B}


def test_a_retry_goes_to_another_instance(clock):
    """Unless there is no other."""
    instances = Instances([A, B], clock)
    first = instances.pick()
    assert instances.pick(beside=first) is not first
    alone = Instances([A], clock)
    only = alone.pick()
    assert alone.pick(beside=only) is only


def test_who_stays_keeps_its_count(clock):
    """A look-up that finds the same instance again does not forget its requests."""
    instances = Instances([A, B], clock)
    first = instances.pick()
    first.outstanding = 7
    instances.replace([first.base_url, C])
    assert set(instances.base_urls) == {first.base_url, C}
    assert instances.pick().base_url == C


@given(st.lists(st.booleans(), max_size=300))
def test_ht_3_retries_are_at_most_a_tenth(wishes):
    """HT-3: in any sequence, retries <= 10 + requests / 10."""
    budget, spent = RetryBudget(), 0
    for wants in wishes:
        budget.earn()
        spent += wants and budget.spend()
    assert spent <= 10 + len(wishes) / 10


@pytest.mark.parametrize(
    ("method", "failure", "is_idempotent", "is_resendable", "expected"),
    [
        ("GET", UpstreamFailedError("chat"), False, True, True),
        ("GET", UpstreamTimeoutError("chat"), False, True, False),
        ("GET", UpstreamUnavailableError("chat"), False, True, True),
        ("POST", UpstreamFailedError("chat"), False, True, False),
        ("POST", UpstreamUnavailableError("chat"), False, True, True),
        ("POST", UpstreamUnavailableError("chat"), False, False, False),
        ("PUT", UpstreamFailedError("chat"), False, True, False),
        ("PUT", UpstreamFailedError("chat"), True, True, True),
        ("PUT", UpstreamFailedError("chat"), True, False, False),
    ],
)
def test_ht_3_what_is_sent_once_more(
    method, failure, is_idempotent, is_resendable, expected
):
    """HT-3: what nobody has seen, and what may be repeated."""
    assert (
        may_retry(
            method,
            failure,
            is_idempotent=is_idempotent,
            is_resendable=is_resendable,
        )
        is expected
    )
