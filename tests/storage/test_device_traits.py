"""What routing is told of devices: by their messages, by what was learned before, by what is set by hand."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.samples.effort import examples
from tests.storage.uplinks import T0

from longwire.core import json_text
from longwire.core.device import Device
from longwire.core.message import DevEui, Message, fingerprint
from longwire.core.sighting import NO_TRAITS, NOTHING_LEARNED, DriverRef, Traits, learn, sighting_of
from longwire.storage.database import Database
from longwire.storage.devices import Devices
from longwire.storage.edit import merged_with

A = DevEui("A" * 16)
TAGS, MODEL = frozenset({"tags"}), frozenset({"tags", "model"})

_numbers = itertools.count(1)


def message(**members: Any) -> Message:
    body = json.dumps({"DevEUI_uplink": {"DevEUI": A, **members}}).encode()
    root, read = json_text.read_kept_root(body)
    return Message("ns", root, A, A, 1, body, fingerprint(str(next(_numbers))), T0, T0, sighting_of(read))


@pytest.fixture
async def devices(database: Database) -> Devices:
    devices = Devices(database, lambda: T0)
    await devices.load(lambda _: True)
    return devices


async def seen(devices: Devices, wanted: frozenset[str], **members: Any) -> Traits:
    """Return what routing is told of a message; it is noted as the ingest door does it."""
    each = message(**members)
    traits = await devices.traits_of(A, learn(each.sighting) if wanted else NOTHING_LEARNED, wanted)
    devices.sightings.note(each, next(_numbers), registers=True)
    return traits


def tagged(*tags: str) -> dict[str, Any]:
    return {"CustomerData": {"tags": list(tags)}}


async def test_what_a_message_does_not_say_is_taken_from_what_was_written(devices: Devices) -> None:
    await seen(devices, TAGS, **tagged("A", "b"), DriverCfg={"mod": {"mId": "ers"}})
    await devices.sightings.write()

    found = await devices.traits_of(A, NOTHING_LEARNED, MODEL)

    assert found == Traits(frozenset({"a", "b"}), DriverRef("", "ers", ""))


async def test_what_is_not_written_yet_counts_too(devices: Devices) -> None:
    await seen(devices, TAGS, **tagged("old"))
    await devices.sightings.write()
    assert (await devices.traits_of(A, NOTHING_LEARNED, TAGS)).tags == {"old"}
    await seen(devices, TAGS, **tagged("new"))
    assert (await devices.traits_of(A, NOTHING_LEARNED, TAGS)).tags == {"new"}


async def test_what_changed_while_no_flow_asked_is_not_remembered_wrongly(devices: Devices) -> None:
    await seen(devices, TAGS, **tagged("old"))
    await devices.sightings.write()
    await devices.traits_of(A, NOTHING_LEARNED, TAGS)  # now it is remembered
    assert await seen(devices, frozenset(), **tagged("new")) == NO_TRAITS
    await devices.sightings.write()
    assert (await devices.traits_of(A, NOTHING_LEARNED, TAGS)).tags == {"new"}


async def test_a_message_without_a_driver_does_not_make_its_device_forget_it(devices: Devices) -> None:
    await seen(devices, MODEL, **tagged("t"), DriverCfg={"mod": {"mId": "ers"}})
    await devices.sightings.write()
    await devices.traits_of(A, NOTHING_LEARNED, MODEL)
    await seen(devices, TAGS, **tagged("t"))
    assert (await devices.traits_of(A, NOTHING_LEARNED, MODEL)).model == DriverRef("", "ers", "")


async def test_a_deleted_device_is_neither_registered_nor_remembered(devices: Devices) -> None:
    await devices.create(Device(A, tags=("own",)))
    assert await devices.is_registered(A)
    assert (await devices.traits_of(A, NOTHING_LEARNED, TAGS)).tags == {"own"}
    await devices.delete(A)
    assert not await devices.is_registered(A)
    assert await devices.traits_of(A, NOTHING_LEARNED, TAGS) == NO_TRAITS


class Model:
    """One device, and what routing has to be told of it: the tags set by hand, else the last ones an uplink had."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.dev_eui = DevEui(f"{next(_numbers):016X}")
        self.own: str | None = None
        self.tags: str | None = None
        self.model: str | None = None

    async def open(self) -> None:
        self.devices = Devices(self.database, lambda: T0)
        await self.devices.load(lambda _: True)

    async def uplink(self, tag: str | None, driver: str | None) -> None:
        tags = {} if tag is None else tagged(tag)
        driver_cfg = {} if driver is None else {"DriverCfg": {"mod": {"mId": driver}}}
        each = replace(message(**tags, **driver_cfg), dev_eui=self.dev_eui)
        self.tags, self.model = tag or self.tags, driver or self.model
        found = await self.devices.traits_of(self.dev_eui, learn(each.sighting), MODEL)
        assert found == self.expected
        self.devices.sightings.note(each, next(_numbers), registers=True)

    async def set_tag(self, tag: str | None, _: object) -> None:
        self.own = None if tag == self.tags else tag  # what is equal to the network's is not set by hand
        edit = merged_with({"tags": None if tag is None else [tag]})
        await self.devices.replace(self.dev_eui, edit)

    async def write(self, *_: object) -> None:
        await self.devices.sightings.write()

    async def restart(self, *_: object) -> None:
        await self.write()
        await self.open()

    async def stay_unasked(self, *_: object) -> None:
        await self.devices.traits_of(self.dev_eui, NOTHING_LEARNED, frozenset())

    @property
    def expected(self) -> Traits:
        shown = self.own or self.tags
        return Traits(frozenset({shown} if shown else ()), DriverRef("", self.model or "", ""))


WORDS = st.none() | st.sampled_from(["x", "y"])
STEPS = st.lists(
    st.tuples(st.just(Model.uplink), WORDS, st.none() | st.sampled_from("mn"))
    | st.tuples(st.just(Model.set_tag), WORDS, st.none())
    | st.tuples(st.sampled_from([Model.write, Model.restart, Model.stay_unasked]), st.none(), st.none()),
    max_size=12,
)


@given(steps=STEPS)
@settings(
    parent=examples(40), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
async def test_routing_is_always_told_the_last_that_is_known(database: Database, steps: list[Any]) -> None:
    model = Model(database)
    await model.open()
    await model.devices.create(Device(model.dev_eui))
    for step, word, driver in steps:
        await step(model, word, driver)
        found = await model.devices.traits_of(model.dev_eui, NOTHING_LEARNED, MODEL)
        assert found == model.expected
