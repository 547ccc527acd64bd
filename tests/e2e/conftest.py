"""The shared server of the tests that do not disturb each other, and its output beside a failure."""

import itertools
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.api_client import Api
from tests.e2e.downlink_world import World, build_world
from tests.e2e.longwire_process import Longwire, Settings, started
from tests.e2e.sink import Sink
from tests.e2e.visitor import Visitor
from tests.net.dns_server import DnsServer

LOG_TAIL = 6000


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        for longwire in started:
            report.sections.append((f"output of longwire on port {longwire.port}", longwire.said[-LOG_TAIL:]))
    return report


@pytest.fixture(scope="session")
def name_server() -> Iterator[DnsServer]:
    with DnsServer({"localhost": ["127.0.0.1"]}, ttl_s=0) as running:
        yield running


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, name_server: DnsServer) -> Iterator[Longwire]:
    """One Longwire for all tests that only look at what they made themselves."""
    settings = {"LONGWIRE_RESOLVER": name_server.address}
    with Longwire(tmp_path_factory.mktemp("shared"), settings).start() as longwire:
        yield longwire
        see_every_delivery(longwire.api)


def see_every_delivery(api: Api) -> None:
    """Look at the page of whatever the tests sent: none may fail, however odd the message."""
    visitor = Visitor(api)
    newest = api.get("/deliveries?perPage=1")
    for number in range(1, int(newest[0]["id"]) + 1 if newest else 1):
        visitor.see(f"/ui/deliveries/{number}")


@pytest.fixture
def api(shared: Longwire) -> Api:
    return shared.api


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink() as opened:
        yield opened
    assert opened.problems == []


@pytest.fixture
def make_world(api: Api, dev_eui: str) -> Iterator[Callable[..., World]]:
    """Give a maker of worlds, in the shared server unless another is given."""
    sinks: list[Sink] = []

    def make(server: Api = api, **configuration: Any) -> World:
        return build_world(server, dev_eui, sinks, **configuration)

    yield make
    for each in sinks:
        each.__exit__()


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world()


@pytest.fixture
def longwire(tmp_path: Path) -> Iterator[Callable[..., Longwire]]:
    """Give a maker of Longwires that live only in this test, not yet started."""
    made: list[Longwire] = []
    numbers = itertools.count()

    def make(settings: Settings | None = None, *, folder: Path | None = None) -> Longwire:
        where = folder or tmp_path / f"longwire-{next(numbers)}"
        where.mkdir(exist_ok=True)
        made.append(Longwire(where, settings))
        return made[-1]

    yield make
    for each in made:
        each.__exit__()


_serials = itertools.count(1)


@pytest.fixture
def dev_eui() -> str:
    """Give a DevEUI that no other test uses."""
    return f"0059AC{next(_serials):010X}"


@pytest.fixture
def dev_euis() -> list[str]:
    return [f"0059AC{next(_serials):010X}" for _ in range(3)]
