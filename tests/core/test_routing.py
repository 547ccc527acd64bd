"""Where a message goes: against a plain model that asks every flow (specification, section 10)."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.samples.effort import examples

from longwire.core.flow import Flow, FlowConnector, KeyMatcher, ThingMatcher
from longwire.core.message import DevEui
from longwire.core.routing import Route, Router
from longwire.core.sighting import NO_TRAITS, DriverRef, Traits
from longwire.core.validity import Validity

A, B, C = (DevEui(f"70B3D5E75E00000{digit}") for digit in "ABC")
MINUTE = timedelta(minutes=1)

WORDS = st.sampled_from(["a", "B", "ß"])
REFS = st.builds(DriverRef, *[st.sampled_from(["", "x", "y"])] * 3)
MATCHERS = st.builds(KeyMatcher, st.sampled_from([A, B])) | st.builds(
    ThingMatcher, st.lists(WORDS, max_size=2, unique=True).map(tuple), REFS, REFS
).filter(lambda matcher: matcher != ThingMatcher())
VALIDITIES = st.none() | st.integers(1, 3).map(lambda minutes: Validity(f"{minutes}m", minutes * MINUTE))
CONNECTORS = st.builds(FlowConnector, st.integers(1, 4), validity=VALIDITIES)
FLOWS = st.builds(
    Flow,
    st.none(),
    st.none(),
    st.lists(MATCHERS, max_size=3, unique=True).map(tuple),
    st.lists(CONNECTORS, max_size=3).map(tuple),
)
TRAITS = st.builds(Traits, st.sets(st.sampled_from(["a", "b", "ss", "z"])).map(frozenset), REFS, REFS)
CHANGES = st.lists(
    st.tuples(st.sampled_from(["put", "remove", "forget"]), st.integers(1, 4), FLOWS), max_size=8
)


def flow(*connectors: int, key: DevEui | None = None, tags: str = "") -> Flow:
    matchers: list[KeyMatcher | ThingMatcher] = [KeyMatcher(key)] if key else []
    matchers += [ThingMatcher(tuple(tags.split()))] if tags else []
    return Flow(None, None, tuple(matchers), tuple(FlowConnector(each) for each in connectors))


def fits(matcher: KeyMatcher | ThingMatcher, dev_eui: DevEui | None, traits: Traits) -> bool:
    if isinstance(matcher, KeyMatcher):
        return matcher.dev_eui == dev_eui
    refs = ((matcher.model, traits.model), (matcher.application, traits.application))
    return {tag.casefold() for tag in matcher.tags} <= traits.tags and all(
        wanted in {"", given} for pattern, ref in refs for wanted, given in zip(pattern, ref, strict=True)
    )


def expected(
    flows: dict[int, Flow], dev_eui: DevEui | None, traits: Traits, own: tuple[int, ...]
) -> set[Route]:
    """Return the routes by asking every flow: each connection lives as long as its most patient route."""
    matching = [
        each
        for each in flows.values()
        if dev_eui and any(fits(one, dev_eui, traits) for one in each.matchers)
    ] or [each for each in flows.values() if not each.matchers]
    found: dict[int, list[timedelta | None]] = {each: [None] for each in own}
    for each in matching:
        for entry in each.connectors:
            found.setdefault(entry.connection_id, []).append(entry.validity.age if entry.validity else None)
    return {
        Route(connection_id, None if None in ages else max(age for age in ages if age))
        for connection_id, ages in found.items()
    }


@given(CHANGES, st.sampled_from([None, A, B, C]), TRAITS, st.sets(st.integers(1, 5), max_size=2))
@examples(300)
def test_the_router_finds_what_asking_every_flow_finds(
    changes: list[tuple[str, int, Flow]], dev_eui: DevEui | None, traits: Traits, own: set[int]
) -> None:
    router, flows = Router(), {}
    for change, number, changed in changes:
        router.route(dev_eui, traits)  # what is remembered from before must not matter
        if change == "put":
            router.put(number, changed)
            flows[number] = changed
        elif change == "remove":
            router.remove(number)
            flows.pop(number, None)
        else:
            router.forget_connection(number)
            flows = {flow_id: each.without(number) for flow_id, each in flows.items()}
    if dev_eui is None:
        traits, own = NO_TRAITS, set()

    found = router.route(dev_eui, traits, tuple(own))

    assert len({route.connection_id for route in found}) == len(found)
    assert set(found) == expected(flows, dev_eui, traits, tuple(own))


@given(CHANGES)
@examples(100)
def test_what_is_asked_for_is_what_the_flows_ask_for(changes: list[tuple[str, int, Flow]]) -> None:
    router, flows = Router(), {}
    for change, number, changed in changes:
        if change == "put":
            router.put(number, changed)
            flows[number] = changed
        elif change == "remove":
            router.remove(number)
            flows.pop(number, None)
    things = [one for each in flows.values() for one in each.matchers if isinstance(one, ThingMatcher)]
    asked = {"tags": "tags", "model": "model", "application": "application"}
    assert router.asks_for == {name for name in asked if any(any(getattr(one, name)) for one in things)}


@pytest.mark.parametrize(
    ("flows", "to_a", "to_b", "to_none"),
    [
        ([], (), (), ()),
        ([flow(1)], (1,), (1,), (1,)),
        ([flow(1, key=A)], (1,), (), ()),
        ([flow(1, key=A), flow(2)], (1,), (2,), (2,)),  # a catch-all is for what no other flow matches
        ([flow(1, tags="t"), flow(2)], (1,), (2,), (2,)),  # A has the tag
        ([flow(1, key=A), flow(2, tags="t")], (1, 2), (), ()),
        ([flow(1, 2, key=A), flow(2, 1, 3, tags="t")], (1, 2, 3), (), ()),  # a connection stands once
        ([flow(key=A), flow(1)], (), (1,), (1,)),  # matched by a flow without connections: it goes nowhere
    ],
)
def test_a_message_goes_to_the_connections_of_every_flow_that_matches_its_device(
    flows: list[Flow], to_a: tuple[int, ...], to_b: tuple[int, ...], to_none: tuple[int, ...]
) -> None:
    router = Router()
    for number, each in enumerate(flows):
        router.put(number, each)
    traits = {A: Traits(frozenset({"t"}))}

    found = [
        tuple(route.connection_id for route in router.route(each, traits.get(each, NO_TRAITS)))  # type: ignore[arg-type]
        for each in (A, B, None)
    ]
    assert found == [to_a, to_b, to_none]


def test_a_flow_for_every_device_serves_devices_with_connections_of_their_own() -> None:
    router = Router()
    router.put(1, flow(7))
    assert [route.connection_id for route in router.route(A, own=(9, 7))] == [9, 7]


def test_ten_thousand_flows_cost_a_message_what_ten_cost() -> None:
    def steps(count: int) -> int:
        """Return how many entries a message's lookup visits, with so many flows of two tags, one of them common."""
        router = Router()
        for number in range(count):
            router.put(number, flow(number, tags=f"common tag{number}"))
        traits = Traits(frozenset({"common", "tag3", "other"}))
        assert [route.connection_id for route in router.route(A, traits)] == [3]
        return sum(len(router._things.get(("tags", tag), ())) for tag in traits.tags)

    assert steps(10_000) == steps(10) == 2
