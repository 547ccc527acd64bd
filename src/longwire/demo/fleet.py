"""The simulated devices, and the LRC request each of their uplinks becomes; nothing here sends or waits."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import log10

from longwire.demo import lrc_request
from longwire.demo.chance import draw, draw_between, drift
from longwire.demo.payloads import KINDS, Payload, SensorKind

CUSTOMER_ID = "100002164"
AS_ID = f"TWA_{CUSTOMER_ID}.1105.AS"
"""The application server as the LRC would name it; any text does for a server that does not compare it."""
MAX_DEVICES = 1_000_000

_CHANNELS = (("LC1", 868.1), ("LC2", 868.3), ("LC3", 868.5))
_SITES = ("Paris", "Lyon", "Nantes", "Lille")
_FORWARDING_TIME = timedelta(milliseconds=111)
"""From the gateway's time stamp to the moment the LRC sends: the two `Time` of one request differ by this."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """A base station: eight hex digits (`lrr_id`), a name and where it stands (degrees)."""

    lrr_id: str
    name: str
    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True)
class Device:
    """One simulated device; with a counter and a time it determines an uplink completely."""

    seed: int
    index: int
    kind: SensorKind
    dev_eui: str
    dev_addr: str
    name: str
    site: str
    gateways: tuple[Gateway, Gateway]
    """The nearer one first."""


class Fleet:
    """`count` devices; the same seed gives the same devices, a larger fleet begins with the smaller one."""

    def __init__(self, seed: int, count: int) -> None:
        if not 1 <= count <= MAX_DEVICES:
            raise ValueError(f"expected 1..{MAX_DEVICES} devices, got {count}")
        self.seed = seed
        self.gateways = tuple(_build_gateway(seed, number) for number in range(2 * len(_SITES)))
        self.devices = tuple(_build_device(seed, index, self.gateways) for index in range(count))


def _build_gateway(seed: int, number: int) -> Gateway:
    return Gateway(
        lrr_id=f"{0x10000000 + draw_between(0, 0xFFFF, seed, 'lrr') * 16 + number:08X}",
        name=f"{_SITES[number // 2]} roof {number % 2 + 1}",
        latitude=round(48.8566 + 0.2 * drift(number, 7, seed, "latitude"), 4),
        longitude=round(2.3522 + 0.3 * drift(number, 5, seed, "longitude"), 4),
    )


def _build_device(seed: int, index: int, gateways: tuple[Gateway, ...]) -> Device:
    kind = KINDS[index % len(KINDS)]
    site = draw_between(0, len(_SITES) - 1, seed, index, "site")
    # One seed's serial numbers are consecutive, so two devices can never get the same DevEUI.
    serial = (draw_between(0, 0xFFFFFF, seed, "serial") + index) % 0x1000000
    return Device(
        seed=seed,
        index=index,
        kind=kind,
        dev_eui=f"{kind.oui}FFFE{serial:06X}",
        dev_addr=f"04{(serial * 7) % 0x1000000:06X}",
        name=f"{kind.label} {index // len(KINDS) + 1}",
        site=_SITES[site],
        gateways=(gateways[2 * site], gateways[2 * site + 1]),
    )


def uplink_request(
    device: Device, counter: int, time: datetime, key: str | None, as_id: str
) -> tuple[str, bytes]:
    """Return the query string and the body of the POST that hands this uplink over.

    `time` (aware) is when the gateway heard it; a `key` signs the request. FCntUp is the counter's low 32
    bits.
    """
    uplink = _build_uplink(device, counter, time)
    parameters = (
        ("LrnDevEui", device.dev_eui),
        ("LrnFPort", str(uplink.f_port)),
        ("LrnInfos", f"{as_id}-1-{(counter * 31 + device.index) % 10**8:08d}"),
        ("AS_ID", as_id),
        ("Time", lrc_request.format_lrc_time(time + _FORWARDING_TIME)),
    )
    query = lrc_request.write_query(parameters, lrc_request.token_elements(uplink), key)
    return query, lrc_request.write_body(uplink)


def _build_uplink(device: Device, counter: int, time: datetime) -> lrc_request.Uplink:
    payload = device.kind.measure(device.seed, device.index, counter)
    best, other = (_receive(device, number, counter) for number in range(2))
    channel, frequency_mhz = _CHANNELS[draw_between(0, 2, device.seed, device.index, "channel", counter)]
    return lrc_request.Uplink(
        time=lrc_request.format_lrc_time(time),
        dev_eui=device.dev_eui,
        f_port=payload.f_port,
        f_cnt_up=counter % 2**32,
        f_cnt_dn=counter // 16 % 2**16,
        payload_hex=payload.content.hex(),
        mic_hex=_integrity_code(device, counter, payload),
        rssi_dbm=best.rssi_dbm,
        snr_db=best.snr_db,
        esp_dbm=best.esp_dbm,
        spreading_factor=_spreading_factor(best.snr_db),
        channel=channel,
        lrr_id=best.lrr_id,
        latitude=device.gateways[0].latitude,
        longitude=device.gateways[0].longitude,
        lrrs=lrc_request.Receptions(lrr=(best, other)),
        gateway_count=2,
        customer_id=CUSTOMER_ID,
        customer=_describe_for_customer(device),
        base_station=lrc_request.BaseStationData(name=device.gateways[0].name),
        driver_cfg=_name_driver(device.kind),
        dev_addr=device.dev_addr,
        frequency_mhz=frequency_mhz,
    )


def _receive(device: Device, number: int, counter: int) -> lrc_request.Reception:
    """Return how the nearer (0) or the farther (1) gateway heard this uplink."""
    key = (device.seed, device.index, "radio", number)
    rssi_dbm = float(-draw_between(62, 104, device.seed, device.index, "path") - 14 * number)
    rssi_dbm += round(4 * drift(counter, 80, *key))
    # The chip reports quarters of a decibel, from about -20 to +10.
    snr_db = max(-20.0, min(10.0, round(4 * (0.35 * (rssi_dbm + 118) + 2 * draw(*key, counter))) / 4))
    # ESP, the signal's own power without the noise: ThingPark "Advanced Developer Guide", LrrESP.
    esp_dbm = rssi_dbm + snr_db - 10 * log10(1 + 10 ** (snr_db / 10))
    return lrc_request.Reception(
        lrr_id=device.gateways[number].lrr_id, rssi_dbm=rssi_dbm, snr_db=snr_db, esp_dbm=round(esp_dbm, 3)
    )


def _spreading_factor(snr_db: float) -> int:
    """Return the factor that adaptive data rate would choose: 7 with much signal, 12 with hardly any."""
    return max(7, min(12, 10 - int(snr_db / 2.5)))


def _integrity_code(device: Device, counter: int, payload: Payload) -> str:
    return f"{draw_between(0, 2**32 - 1, device.dev_eui, counter, payload.content.hex()):08x}"


def _describe_for_customer(device: Device) -> lrc_request.CustomerData:
    kind = device.kind
    return lrc_request.CustomerData(
        alr=lrc_request.Application(pro=f"{kind.maker.upper()}/{kind.model.upper()}"),
        tags=(f"site={device.site}",),
        name=device.name,
    )


def _name_driver(kind: SensorKind) -> lrc_request.DriverCfg:
    return lrc_request.DriverCfg(mod=lrc_request.DriverModel(product_id=kind.maker, model_id=kind.model))
