"""Where a message goes: the flows of its device, and the device's own connections (specification, section 10).

The theory: a flow is found by what one of its matchers asks for. Each matcher stands under one key: the DevEUI it
names, or one of the tags or driver parts it needs, that under which the fewest stand. A message looks under its own
DevEUI, tags and driver parts only, so what it costs does not grow with the number of flows.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from longwire.core.flow import Flow, KeyMatcher, ThingMatcher
from longwire.core.message import DevEui
from longwire.core.sighting import NO_TRAITS, DriverRef, Traits, fold_tags

_Key = tuple[str, ...]
_MAX_PLANS = 10_000


@dataclass(frozen=True, slots=True)
class Route:
    """A connection a message goes to, and how old it may become on its way there by the flows that lead to it."""

    connection_id: int
    validity: timedelta | None = None


class Router:
    """The routes of all flows together; flows come and go one by one.

    `asks_for` names the traits of devices that any flow matches by.
    """

    def __init__(self) -> None:
        """Begin without flows."""
        self._flows: dict[int, Flow] = {}
        self._by_device: dict[DevEui, tuple[int, ...]] = {}
        self._things: dict[_Key, list[tuple[int, Traits]]] = {}
        self._asked: Counter[str] = Counter()
        self.asks_for: frozenset[str] = frozenset()
        self._catch_all: tuple[int, ...] = ()
        self._plans: dict[tuple[int, ...], tuple[Route, ...]] = {}

    def put(self, flow_id: int, flow: Flow) -> None:
        """Add a flow, or replace it."""
        self.remove(flow_id)
        self._flows[flow_id] = flow
        for matcher in flow.matchers:
            if isinstance(matcher, KeyMatcher):
                known = self._by_device.get(matcher.dev_eui, ())
                self._by_device[matcher.dev_eui] = tuple(sorted({*known, flow_id}))
            else:
                self._add_thing(_needed(matcher), flow_id)
        if not flow.matchers:
            self._catch_all = tuple(sorted({*self._catch_all, flow_id}))

    def remove(self, flow_id: int) -> None:
        """Forget a flow, if it is known."""
        self._plans.clear()
        flow = self._flows.pop(flow_id, None)
        if flow is None:
            return
        self._catch_all = _without(self._catch_all, flow_id)
        for matcher in flow.matchers:
            if isinstance(matcher, KeyMatcher):
                self._remove_device(matcher.dev_eui, flow_id)
            else:
                self._remove_thing(_needed(matcher), flow_id)

    def forget_connection(self, connection_id: int) -> None:
        """Take a connection out of every flow."""
        for flow_id, flow in list(self._flows.items()):
            if connection_id in flow.connection_ids:
                self._flows[flow_id] = flow.without(connection_id)
        self._plans.clear()

    def route(
        self, dev_eui: DevEui | None, traits: Traits = NO_TRAITS, own: Iterable[int] = ()
    ) -> tuple[Route, ...]:
        """Return where a message goes, each connection once; `own` are the connections of its device.

        Without a DevEUI (BS_alarm) only flows for every device count.
        """
        plan = self._plan(self._matching(dev_eui, traits) or self._catch_all)
        return plan if not own else _once((*(Route(each) for each in own), *plan))

    def _matching(self, dev_eui: DevEui | None, traits: Traits) -> tuple[int, ...]:
        if dev_eui is None:
            return ()
        named = self._by_device.get(dev_eui, ())
        if not self._things:
            return named
        found = {
            flow_id
            for key in _keys_of(traits)
            for flow_id, needed in self._things.get(key, ())
            if _has(traits, needed)
        }
        return tuple(sorted({*named, *found})) if found else named

    def _plan(self, flow_ids: tuple[int, ...]) -> tuple[Route, ...]:
        """Return the routes of some flows together; remembered, since few sets of flows occur."""
        plan = self._plans.get(flow_ids)
        if plan is None:
            if len(self._plans) >= _MAX_PLANS:
                self._plans.clear()
            plan = self._plans[flow_ids] = _once(
                Route(each.connection_id, each.validity.age if each.validity else None)
                for flow_id in flow_ids
                for each in self._flows[flow_id].connectors
            )
        return plan

    def _add_thing(self, needed: Traits, flow_id: int) -> None:
        rarest = min(_keys_of(needed), key=lambda key: (len(self._things.get(key, ())), key))
        self._things.setdefault(rarest, []).append((flow_id, needed))
        self._asked.update(_kinds_of(needed))
        self.asks_for = frozenset(+self._asked)

    def _remove_device(self, dev_eui: DevEui, flow_id: int) -> None:
        left = _without(self._by_device.get(dev_eui, ()), flow_id)
        if left:
            self._by_device[dev_eui] = left
        else:
            self._by_device.pop(dev_eui, None)

    def _remove_thing(self, needed: Traits, flow_id: int) -> None:
        for key in _keys_of(needed):
            left = [entry for entry in self._things.get(key, ()) if entry != (flow_id, needed)]
            if left:
                self._things[key] = left
            else:
                self._things.pop(key, None)
        self._asked.subtract(_kinds_of(needed))
        self.asks_for = frozenset(+self._asked)


def _once(routes: Iterable[Route]) -> tuple[Route, ...]:
    """Return each connection once: a message lives on it as long as the most patient of its routes lets it."""
    longest: dict[int, timedelta | None] = {}
    for route in routes:
        known = longest.get(route.connection_id, route.validity)
        both = None if known is None or route.validity is None else max(known, route.validity)
        longest[route.connection_id] = both
    return tuple(Route(connection_id, validity) for connection_id, validity in longest.items())


def _needed(matcher: ThingMatcher) -> Traits:
    return Traits(fold_tags(matcher.tags), matcher.model, matcher.application)


def _keys_of(traits: Traits) -> list[_Key]:
    """Return a key for each tag, and for each part of the drivers that is not empty."""
    drivers = (("model", traits.model), ("application", traits.application))
    return [("tags", tag) for tag in traits.tags] + [
        (kind, str(number), part) for kind, ref in drivers for number, part in enumerate(ref) if part
    ]


def _kinds_of(traits: Traits) -> set[str]:
    return {kind for kind, *_ in _keys_of(traits)}


def _has(traits: Traits, needed: Traits) -> bool:
    return (
        needed.tags <= traits.tags
        and _names(needed.model, traits.model)
        and _names(needed.application, traits.application)
    )


def _names(needed: DriverRef, given: DriverRef) -> bool:
    return all(part in {"", found} for part, found in zip(needed, given, strict=True))


def _without(flow_ids: tuple[int, ...], flow_id: int) -> tuple[int, ...]:
    return tuple(each for each in flow_ids if each != flow_id)
