"""What a message says of its device: name, tags, model, how it was heard (specification, section 10)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from longwire.core import json_text

MAX_TAGS = 100
LONGEST_WORD = 255


@dataclass(frozen=True, slots=True)
class Sighting:
    """The members of a message that tell of its device, as raw JSON; empty where the message has none."""

    customer_data: bytes = b""
    driver_cfg: bytes = b""
    rssi: bytes = b""
    snr: bytes = b""

    def after(self, before: "Sighting") -> "Sighting":
        """Return what is known when this one came after another."""
        return Sighting(
            self.customer_data or before.customer_data,
            self.driver_cfg or before.driver_cfg,
            self.rssi or before.rssi,
            self.snr or before.snr,
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


class _DriverCfg(msgspec.Struct):
    mod: Any = None
    app: Any = None


_CUSTOMER_DATA = msgspec.json.Decoder(_CustomerData)
_DRIVER_CFG = msgspec.json.Decoder(_DriverCfg)


def sighting_of(members: Mapping[str, msgspec.Raw]) -> Sighting:
    """Return what the members of a root tell of the device."""
    get = members.get
    return Sighting(
        bytes(get("CustomerData", b"")),
        bytes(get("DriverCfg", b"")),
        bytes(get("LrrRSSI", b"")),
        bytes(get("LrrSNR", b"")),
    )


def learn(sighting: Sighting) -> Learned:
    """Return what a sighting teaches; what has another form than ThingPark's teaches nothing."""
    customer = _decoded(_CUSTOMER_DATA, sighting.customer_data) or _CustomerData()
    driver = _decoded(_DRIVER_CFG, sighting.driver_cfg) or _DriverCfg()
    return Learned(_name(customer.name), _tags(customer.tags), _ref(driver.mod), _ref(driver.app))


def number_of(raw: bytes) -> float | None:
    """Return a number that may be written as a string, or None."""
    try:
        value = float(json_text.scalar_text(raw) or "") if raw else None
    except ValueError:
        return None
    # JSON has no other numbers; a string could say nan.
    return value if value is not None and abs(value) < float("inf") else None


def fold_tags(tags: tuple[str, ...]) -> frozenset[str]:
    """Return tags so that equal ones are equal whatever their case."""
    return frozenset(tag.casefold() for tag in tags)


def _decoded(decoder: msgspec.json.Decoder[Any], raw: bytes) -> Any:
    if not raw:
        return None
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
    words = (each[:LONGEST_WORD] for each in value if isinstance(each, str) and each)
    return tuple(dict.fromkeys(words))[:MAX_TAGS]


def _ref(value: Any) -> DriverRef | None:
    if not isinstance(value, dict):
        return None
    return DriverRef(*(_word(value.get(name)) for name in ("pId", "mId", "ver")))


def _word(value: Any) -> str:
    return str(value)[:LONGEST_WORD] if isinstance(value, str | int) else ""
