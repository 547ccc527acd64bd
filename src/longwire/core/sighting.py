"""What a message says of its device: name, tags, model, how it was heard (specification, section 10)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from longwire.core import json_text

MAX_TAGS = 100
LONGEST_WORD = 255


Fragment = bytes | msgspec.Raw


class Sighting(NamedTuple):
    """The members of a message that tell of its device, as raw JSON; empty where the message has none.

    It is made for every message: so nothing is copied or decoded before it is used.
    """

    customer_data: Fragment = b""
    driver_cfg: Fragment = b""
    rssi: Fragment = b""
    snr: Fragment = b""

    def after(self, before: "Sighting") -> "Sighting":
        """Return what is known when this one came after another."""
        return (
            self
            if b"" not in self
            else Sighting(
                self.customer_data or before.customer_data,
                self.driver_cfg or before.driver_cfg,
                self.rssi or before.rssi,
                self.snr or before.snr,
            )
        )


class DriverRef(NamedTuple):
    """A driver as `DriverCfg` names it; empty texts where it does not say."""

    producer_id: str = ""
    module_id: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Learned:
    """What the network says of a device; None where it says nothing."""

    name: str | None = None
    tags: tuple[str, ...] | None = None
    model: DriverRef | None = None
    application: DriverRef | None = None

    def then(self, later: "Learned") -> "Learned":
        """Return what is known when more was learned later."""
        return Learned(
            self.name if later.name is None else later.name,
            self.tags if later.tags is None else later.tags,
            self.model if later.model is None else later.model,
            self.application if later.application is None else later.application,
        )


@dataclass(frozen=True, slots=True)
class Traits:
    """What flows match a device by; tags are folded."""

    tags: frozenset[str] = field(default=frozenset())
    model: DriverRef = DriverRef()  # noqa: RUF009 - a frozen value
    application: DriverRef = DriverRef()  # noqa: RUF009 - same


NOTHING_LEARNED = Learned()
NO_TRAITS = Traits()


class _CustomerData(msgspec.Struct):
    name: Any = None
    tags: Any = None


class _Ref(msgspec.Struct):
    pId: Any = ""  # noqa: N815 - ThingPark's names
    mId: Any = ""  # noqa: N815
    ver: Any = ""


class _DriverCfg(msgspec.Struct):
    mod: _Ref | None = None
    app: _Ref | None = None


_CUSTOMER_DATA = msgspec.json.Decoder(_CustomerData)
_DRIVER_CFG = msgspec.json.Decoder(_DriverCfg)


def sighting_of(members: Mapping[str, msgspec.Raw]) -> Sighting:
    """Return what the members of a root tell of the device."""
    get = members.get
    return Sighting(get("CustomerData", b""), get("DriverCfg", b""), get("LrrRSSI", b""), get("LrrSNR", b""))


def learn(sighting: Sighting) -> Learned:
    """Return what a sighting teaches; what has another form than ThingPark's teaches nothing."""
    name, tags = learn_words(sighting)
    driver = _decoded(_DRIVER_CFG, sighting.driver_cfg)
    return Learned(name, tags, _ref(driver and driver.mod), _ref(driver and driver.app))


def learn_words(sighting: Sighting) -> tuple[str | None, tuple[str, ...] | None]:
    """Return the name and the tags that a sighting teaches."""
    customer = _decoded(_CUSTOMER_DATA, sighting.customer_data)
    return (_name(customer.name), _tags(customer.tags)) if customer else (None, None)


def number_of(raw: Fragment) -> float | None:
    """Return a number that may be written as a string, or None."""
    try:
        value = float(json_text.scalar_text(bytes(raw)) or "") if raw else None
    except ValueError:
        return None
    # JSON has no other numbers; a string could say nan.
    return value if value is not None and abs(value) < float("inf") else None


def fold_tags(tags: tuple[str, ...]) -> frozenset[str]:
    """Return tags so that equal ones are equal whatever their case."""
    return frozenset(tag.casefold() for tag in tags)


def _decoded(decoder: msgspec.json.Decoder[Any], fragment: Fragment) -> Any:
    if not fragment:
        return None
    raw = bytes(fragment)
    # In XML, and so in what was made of it, CustomerData is a string that holds JSON.
    text = (json_text.scalar_text(raw) or "").encode() if raw.startswith(b'"') else raw
    try:
        return decoder.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        return None


def _name(value: Any) -> str | None:
    return value[:LONGEST_WORD] if isinstance(value, str) and value else None


def _tags(value: Any) -> tuple[str, ...] | None:
    if not isinstance(value, list):
        return None
    words = [each[:LONGEST_WORD] for each in value if isinstance(each, str) and each]
    return tuple(dict.fromkeys(words))[:MAX_TAGS]


def _ref(value: _Ref | None) -> DriverRef | None:
    return DriverRef(_word(value.pId), _word(value.mId), _word(value.ver)) if value else None


def _word(value: Any) -> str:
    return str(value)[:LONGEST_WORD] if isinstance(value, str | int) else ""
