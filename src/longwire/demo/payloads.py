"""The kinds of sensor in the fleet: what each of them measures, in the bytes its maker documents.

Every `measure_*` is a pure function of (seed, device index, uplink counter): neighbouring counters give
neighbouring values, meters only count up, and a second run of the demo continues where the first one was.

Sources: ELSYS "Sensor payload" (types 01 temperature, 02 humidity, 04 light, 05 motion, 06 CO2, 07 battery,
0B pulse counter); Milesight "WS301 User Guide" (channels 01 75 battery, 03 00 door, 04 00 installed); Dragino
"LSE01 User Manual" (11 bytes on port 2); myDevices "Cayenne LPP" (02 analog, 88 GPS).
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import pi, sin

from longwire.demo.chance import draw, draw_between, drift


@dataclass(frozen=True, slots=True)
class Payload:
    """What a device sends: `f_port` from 1 to 223, `content` at most 51 bytes (the limit at SF12)."""

    f_port: int
    content: bytes


@dataclass(frozen=True, slots=True)
class SensorKind:
    """One product: its name on a door plate, its maker and model, how it measures."""

    label: str
    maker: str
    model: str
    oui: str
    """The first six digits of the maker's DevEUIs."""
    measure: Callable[[int, int, int], Payload]


def _signed(number: float, size: int) -> bytes:
    return round(number).to_bytes(size, signed=True)


def _unsigned(number: float, size: int) -> bytes:
    return round(number).to_bytes(size)


def _battery_mv(seed: int, index: int, counter: int) -> int:
    """Return a battery voltage in millivolts that sinks by 20 mV in a million uplinks, down to some 3,000."""
    fresh = draw_between(3560, 3670, seed, index, "battery")
    return max(3000, fresh - counter // 50_000) + draw_between(-2, 2, seed, index, "battery", counter)


def measure_fridge(seed: int, index: int, counter: int) -> Payload:
    """Return temperature (tenths of a degree), humidity (%) and battery (mV) of a fridge."""
    celsius = 4.2 + 1.4 * drift(counter, 40, seed, index, "temperature")
    humidity = 46 + 9 * drift(counter, 130, seed, index, "humidity")
    battery = _battery_mv(seed, index, counter)
    content = b"\x01" + _signed(celsius * 10, 2) + b"\x02" + _unsigned(humidity, 1)
    return Payload(5, content + b"\x07" + _unsigned(battery, 2))


def measure_room(seed: int, index: int, counter: int) -> Payload:
    """Return temperature, humidity, light (lux), motion (count), CO2 (ppm) and battery of an office."""
    people = max(0.0, drift(counter, 240, seed, index, "people"))
    celsius = 21.5 + 1.2 * people + 0.6 * drift(counter, 500, seed, index, "heating")
    humidity = 42 + 8 * drift(counter, 300, seed, index, "humidity")
    light_lux = 40 + 380 * people
    motion = int(people * 12 * draw(seed, index, "motion", counter))
    carbon_dioxide_ppm = 430 + 620 * people + 25 * drift(counter, 60, seed, index, "air")
    content = b"\x01" + _signed(celsius * 10, 2) + b"\x02" + _unsigned(humidity, 1)
    content += b"\x04" + _unsigned(light_lux, 2) + b"\x05" + _unsigned(motion, 1)
    content += b"\x06" + _unsigned(carbon_dioxide_ppm, 2)
    return Payload(5, content + b"\x07" + _unsigned(_battery_mv(seed, index, counter), 2))


def measure_water_meter(seed: int, index: int, counter: int) -> Payload:
    """Return the total of a pulse counter (one pulse a litre) and battery; the total never goes back."""
    first = draw_between(12_000, 900_000, seed, index, "litres")
    litres_per_uplink = 2 + 4 * draw(seed, index, "consumption")
    # The wave's slope stays below the mean consumption: people use more by day, but never less than nothing.
    wave = litres_per_uplink * 200 / (2 * pi) * sin(2 * pi * counter / 200)
    total = int(first + litres_per_uplink * counter + wave) % 2**32
    battery = _battery_mv(seed, index, counter)
    return Payload(5, b"\x0b" + _unsigned(total, 4) + b"\x07" + _unsigned(battery, 2))


def measure_door(seed: int, index: int, counter: int) -> Payload:
    """Return battery (%), whether the door is open (one uplink in eight), and that it is mounted."""
    battery_percent = max(20, 100 - counter // 100_000)
    is_open = draw(seed, index, "door", counter // 2) < 1 / 8
    content = b"\x01\x75" + _unsigned(battery_percent, 1) + b"\x03\x00" + bytes([is_open]) + b"\x04\x00\x00"
    return Payload(85, content)


def measure_soil(seed: int, index: int, counter: int) -> Payload:
    """Return battery (mV), no probe, soil moisture and temperature (hundredths), conductivity (uS/cm).

    Moisture falls slowly and jumps up when it rains: a saw tooth of 300 uplinks.
    """
    since_rain = (counter + draw_between(0, 299, seed, index, "rain")) % 300
    moisture = 38 - 20 * since_rain / 300 + 0.3 * drift(counter, 20, seed, index, "moisture")
    celsius = 11 + 3 * drift(counter, 400, seed, index, "soil")
    conductivity = 90 + 6 * moisture
    content = _unsigned(_battery_mv(seed, index, counter), 2) + b"\x00\x00" + _unsigned(moisture * 100, 2)
    return Payload(2, content + _signed(celsius * 100, 2) + _unsigned(conductivity, 2) + b"\x10")


def measure_tracker(seed: int, index: int, counter: int) -> Payload:
    """Return battery (hundredths of a volt) and position (1e-4 degrees, cm) of a van around Paris."""
    latitude = 48.8566 + 0.11 * drift(counter, 900, seed, index, "north") ** 3
    longitude = 2.3522 + 0.18 * drift(counter, 1300, seed, index, "east") ** 3
    altitude_m = 60 + 25 * drift(counter, 350, seed, index, "up")
    battery = b"\x02\x02" + _signed(_battery_mv(seed, index, counter) / 10, 2)
    position = _signed(latitude * 1e4, 3) + _signed(longitude * 1e4, 3) + _signed(altitude_m * 100, 3)
    return Payload(3, battery + b"\x01\x88" + position)


KINDS = (
    SensorKind("Fridge", "elsys", "ers", "A81758", measure_fridge),
    SensorKind("Meeting room", "elsys", "ers-co2", "A81758", measure_room),
    SensorKind("Water meter", "elsys", "elt-2", "A81758", measure_water_meter),
    SensorKind("Door", "milesight", "ws301", "24E124", measure_door),
    SensorKind("Field", "dragino", "lse01", "A84041", measure_soil),
    SensorKind("Van", "mydevices", "lpp-gps", "70B3D5", measure_tracker),
)
"""The fleet takes them in turn: device 0 is a fridge, device 6 the next fridge."""
