"""Names of services become the addresses they stand for."""

import pytest

from libs.kernel import FrozenClock
from services.gateway.domain.instances import Instances
from services.gateway.proxy import Discovery


@pytest.fixture
def found(monkeypatch):
    """What the resolver says; a name that is missing cannot be resolved."""
    names = {}

    async def getaddrinfo(_, host, port, **_options):
        if host not in names:
            raise OSError
        return [(2, 1, 6, "", (address, port)) for address in names[host]]

    monkeypatch.setattr("asyncio.base_events.BaseEventLoop.getaddrinfo", getaddrinfo)
    return names


async def test_a_name_stands_for_all_its_addresses(found):
    """And for the new ones after the next look-up; other services stay."""
    clock = FrozenClock()
    urls = {"chat": ("http://chat.test:8080",), "auth": ("http://10.0.0.9:8080",)}
    instances = {name: Instances(given, clock) for name, given in urls.items()}
    discovery = Discovery(urls, instances)
    found["chat.test"] = ["10.0.0.1", "fd00::1"]
    await discovery.look_up()
    expected = {"http://10.0.0.1:8080", "http://[fd00::1]:8080"}
    assert set(instances["chat"].base_urls) == expected
    found["chat.test"] = ["10.0.0.2"]
    await discovery.look_up()
    assert instances["chat"].base_urls == ("http://10.0.0.2:8080",)
    assert instances["auth"].base_urls == ("http://10.0.0.9:8080",)


async def test_a_name_that_fails_keeps_what_it_stood_for(found):
    """A resolver that is away takes nobody's services away."""
    clock = FrozenClock()
    urls = {"chat": ("http://chat.test:8080",)}
    instances = {"chat": Instances(urls["chat"], clock)}
    discovery = Discovery(urls, instances)
    found["chat.test"] = ["10.0.0.1"]
    await discovery.look_up()
    found.clear()
    await discovery.look_up()
    assert instances["chat"].base_urls == ("http://10.0.0.1:8080",)


async def test_where_only_addresses_are_configured_nothing_is_looked_up(found):
    """Its task ends at once."""
    urls = {"chat": ("http://127.0.0.1:1", "https://chat.test:8443")}
    instances = {"chat": Instances(urls["chat"], FrozenClock())}
    await Discovery(urls, instances).run()
    assert set(instances["chat"].base_urls) == set(urls["chat"])
