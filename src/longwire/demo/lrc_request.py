"""The HTTP request by which a ThingPark LRC hands an uplink over: query, Token, JSON body.

Source: ThingPark Wireless "Advanced Developer Guide", tunnel interface between LRC and AS; the project's own
specification, section 8 (thingpark), whose test vector the tests repeat.
"""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from urllib.parse import quote

import msgspec

_SPELLING = {
    "time": "Time",
    "dev_eui": "DevEUI",
    "f_port": "FPort",
    "f_cnt_up": "FCntUp",
    "lost_uplinks": "LostUplinksAS",
    "adr_bit": "ADRbit",
    "m_type": "MType",
    "f_cnt_dn": "FCntDn",
    "lrc_id": "Lrcid",
    "lrr_id": "Lrrid",
    "rssi_dbm": "LrrRSSI",
    "snr_db": "LrrSNR",
    "esp_dbm": "LrrESP",
    "spreading_factor": "SpFact",
    "sub_band": "SubBand",
    "channel": "Channel",
    "late": "Late",
    "latitude": "LrrLAT",
    "longitude": "LrrLON",
    "lrrs": "Lrrs",
    "lrr": "Lrr",
    "chain": "Chain",
    "gateway_count": "DevLrrCnt",
    "customer_id": "CustomerID",
    "customer": "CustomerData",
    "base_station": "BaseStationData",
    "model_cfg": "ModelCfg",
    "driver_cfg": "DriverCfg",
    "product_id": "pId",
    "model_id": "mId",
    "instant_per": "InstantPER",
    "mean_per": "MeanPER",
    "dev_addr": "DevAddr",
    "ack_requested": "AckRequested",
    "mac_commands": "rawMacCommands",
    "tx_power_dbm": "TxPower",
    "transmissions": "NbTrans",
    "frequency_mhz": "Frequency",
    "device_class": "DynamicClass",
    "uplink": "DevEUI_uplink",
}
"""Our names to the LRC's; members not listed here are spelled the same."""


class Reception(msgspec.Struct, frozen=True, kw_only=True, rename=_SPELLING):
    """How one gateway heard the uplink."""

    lrr_id: str
    chain: int = 0
    rssi_dbm: float
    snr_db: float
    esp_dbm: float


class Receptions(msgspec.Struct, frozen=True, kw_only=True, rename=_SPELLING):
    """The gateways that heard it, the best first."""

    lrr: tuple[Reception, ...]


class Application(msgspec.Struct, frozen=True, kw_only=True):
    """The producer/model pair of the device profile and its version (`alr`)."""

    pro: str
    ver: str = "1"


class CustomerData(msgspec.Struct, frozen=True, kw_only=True):
    """What the device's owner wrote about it."""

    loc: None = None
    alr: Application
    tags: tuple[str, ...]
    name: str


class BaseStationData(msgspec.Struct, frozen=True, kw_only=True):
    """What the gateway's owner wrote about the best gateway."""

    name: str


class DriverModel(msgspec.Struct, frozen=True, kw_only=True, rename=_SPELLING):
    """The driver's name in the catalogue of drivers."""

    product_id: str
    model_id: str
    ver: str = "1"


class DriverCfg(msgspec.Struct, frozen=True, kw_only=True):
    """The driver that reads this model."""

    mod: DriverModel


class Uplink(msgspec.Struct, frozen=True, kw_only=True, rename=_SPELLING):
    """The content of `DevEUI_uplink`: the members, their order and their types as a live LRC sends them."""

    time: str
    dev_eui: str
    f_port: int
    f_cnt_up: int
    lost_uplinks: int = 0
    adr_bit: int = 1
    m_type: int = 2
    f_cnt_dn: int
    payload_hex: str
    mic_hex: str
    lrc_id: str = "00000233"
    rssi_dbm: float
    snr_db: float
    esp_dbm: float
    spreading_factor: int
    sub_band: str = "G1"
    channel: str
    lrr_id: str
    late: int = 0
    latitude: float
    longitude: float
    lrrs: Receptions
    gateway_count: int
    customer_id: str
    customer: CustomerData
    base_station: BaseStationData
    model_cfg: str = "0"
    driver_cfg: DriverCfg
    instant_per: float = 0.0
    mean_per: float = 0.0
    dev_addr: str
    ack_requested: int = 0
    mac_commands: str = ""
    tx_power_dbm: float = 14.0
    transmissions: int = 1
    frequency_mhz: float
    device_class: str = "A"


class UplinkMessage(msgspec.Struct, frozen=True, kw_only=True, rename=_SPELLING):
    """The whole body: one root member."""

    uplink: Uplink


def format_lrc_time(time: datetime) -> str:
    """Return an aware time as the LRC writes it: milliseconds and a numeric offset."""
    return time.isoformat(timespec="milliseconds")


def token(body_elements: str, query: str, key: str) -> str:
    """Return the Token: lower-case hex SHA-256 of the elements, the query as text, and the tunnel key.

    `query` is what stands before `&Token=`, with its percent-encoding undone and its order kept.
    """
    return sha256(f"{body_elements}{query}{key}".encode()).hexdigest()


def token_elements(uplink: Uplink) -> str:
    """Return the members of an uplink that its Token covers, in their order."""
    return f"{uplink.customer_id}{uplink.dev_eui}{uplink.f_port}{uplink.f_cnt_up}{uplink.payload_hex}"


def write_query(parameters: Sequence[tuple[str, str]], body_elements: str, key: str | None) -> str:
    """Return the query string as it goes on the wire; without a key it carries no Token.

    The `+` of a time zone goes as `%2B` (a bare one would be read as a space), the hash is over the plain
    text.
    """
    wire = "&".join(f"{name}={quote(value, safe=':')}" for name, value in parameters)
    if key is None:
        return wire
    text = "&".join(f"{name}={value}" for name, value in parameters)
    return f"{wire}&Token={token(body_elements, text, key)}"


def write_body(uplink: Uplink) -> bytes:
    """Return the compact JSON body."""
    return msgspec.json.encode(UplinkMessage(uplink=uplink))
