"""What the simulated sensors measure can be read by their makers' decoders and is plausible."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longwire.demo.payloads import (
    KINDS,
    Payload,
    SensorKind,
    measure_door,
    measure_fridge,
    measure_room,
    measure_soil,
    measure_tracker,
    measure_water_meter,
)

SEEDS = st.integers(0, 2**32)
INDEXES = st.integers(0, 1_000_000)
COUNTERS = st.integers(0, 2**33)


def number(payload: Payload, start: int, size: int, *, signed: bool = False) -> int:
    return int.from_bytes(payload.content[start : start + size], signed=signed)


@pytest.mark.parametrize("kind", KINDS, ids=[kind.label for kind in KINDS])
@given(seed=SEEDS, index=INDEXES, counter=COUNTERS)
def test_every_payload_fits_a_frame_and_is_repeatable(
    kind: SensorKind, seed: int, index: int, counter: int
) -> None:
    payload = kind.measure(seed, index, counter)
    assert 1 <= payload.f_port <= 223
    assert 1 <= len(payload.content) <= 51
    assert payload == kind.measure(seed, index, counter)


@given(seed=SEEDS, index=INDEXES, counter=COUNTERS)
def test_values_stay_within_what_the_place_allows(seed: int, index: int, counter: int) -> None:
    key = (seed, index, counter)
    fridge, room, soil, van = (
        measure(*key) for measure in (measure_fridge, measure_room, measure_soil, measure_tracker)
    )
    assert 20 <= number(fridge, 1, 2, signed=True) <= 60
    assert 190 <= number(room, 1, 2, signed=True) <= 240
    assert 0 < number(room, 4, 1) < 100
    assert 400 <= number(room, 11, 2) <= 1100
    assert 3000 <= number(room, 14, 2) + 2 <= 3700
    assert 1500 <= number(soil, 4, 2) <= 4000
    assert 486_000 <= number(van, 6, 3) <= 491_000
    assert number(fridge, 3, 1) == 0x02
    assert number(van, 5, 1) == 0x88


@given(seed=SEEDS, index=INDEXES, counter=st.integers(0, 10_000_000))
def test_a_water_meter_never_counts_back(seed: int, index: int, counter: int) -> None:
    before, after = (number(measure_water_meter(seed, index, c), 1, 4) for c in (counter, counter + 1))
    assert 0 <= after - before <= 20


def test_a_temperature_drifts_and_does_not_jump() -> None:
    celsius = [number(measure_fridge(1, 0, counter), 1, 2, signed=True) / 10 for counter in range(400)]
    steps = [abs(b - a) for a, b in itertools.pairwise(celsius)]
    assert max(steps) < 0.8
    assert max(celsius) - min(celsius) > 1


def test_a_door_is_sometimes_open() -> None:
    states = [measure_door(1, 3, counter).content[5] for counter in range(400)]
    assert 10 < sum(states) < 200
