"""Occurrences become events: what repeats is counted, no count is lost, and what is held is bounded."""

from collections import Counter
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from longwire.core.event import COUNTED_FOR, MAX_CAUSES, Event, Kind, Occurrence
from longwire.core.ledger import Ledger

T0 = datetime(2026, 3, 14, 10, 0, tzinfo=UTC)
S = timedelta(seconds=1)

Key = tuple[Kind, int | None]

occurrences = st.builds(
    Occurrence,
    st.sampled_from([Kind.MESSAGE_LOST, Kind.MESSAGE_EXPIRED, Kind.CONNECTION_CLOSING, Kind.STORAGE_FAILED]),
    st.just(T0),
    st.one_of(st.none(), st.integers(1, 3)),
    st.sampled_from([f"cause {number}" for number in range(2 * MAX_CAUSES)]),
    st.just({}),
    st.integers(1, 5),
)
# What may happen: something occurs after some seconds, events are written, or could not be written.
steps = st.lists(
    st.one_of(st.tuples(st.integers(0, 900), occurrences), st.sampled_from(["write", "fail to write"])),
    max_size=60,
)


def lost(at: datetime, cause: str = "the destination answered 500", count: int = 1) -> Occurrence:
    return Occurrence(Kind.MESSAGE_LOST, at, 7, cause, count=count)


def rows(events: list[Event]) -> dict[int, tuple[Key, int]]:
    """Return what the store holds of events: a later writing replaces the row."""
    return {each.number: ((each.first.kind, each.first.connection_id), each.count) for each in events}


@given(steps)
def test_no_count_is_lost_or_doubled_whenever_events_are_written(
    todo: list[tuple[int, Occurrence] | str],
) -> None:
    ledger, now = Ledger(), T0
    stored: dict[int, tuple[Key, int]] = {}
    occurred: Counter[Key] = Counter()
    for step in [*todo, "write"]:
        if step == "write":
            ledger.forget_old(now)
            stored |= rows(ledger.take())
        elif step == "fail to write":
            ledger.put_back(ledger.take())
        elif not isinstance(step, str):
            now += step[0] * S
            occurrence = Occurrence(
                step[1].kind, now, step[1].connection_id, step[1].cause, {}, step[1].count
            )
            occurred[occurrence.kind, occurrence.connection_id] += occurrence.count
            ledger.add(occurrence)

    told: Counter[Key] = Counter()
    for key, count in stored.values():
        told[key] += count
    assert told == occurred
    assert ledger.unrecorded == 0


@given(st.lists(st.tuples(st.integers(0, 100), occurrences), max_size=60))
def test_what_is_held_is_bounded_and_the_rest_is_counted(todo: list[tuple[int, Occurrence]]) -> None:
    ledger = Ledger(max_events=3)
    for seconds, each in todo:
        ledger.add(Occurrence(each.kind, T0 + seconds * S, each.connection_id, each.cause, {}, each.count))

    events = ledger.take()
    assert len(events) <= 3
    assert sum(each.count for each in events) + ledger.unrecorded == sum(each.count for _, each in todo)


def test_a_repeat_is_part_of_the_event_for_ten_minutes() -> None:
    ledger = Ledger()
    assert ledger.add(lost(T0))
    assert not ledger.add(lost(T0 + COUNTED_FOR - S))
    assert ledger.add(lost(T0 + COUNTED_FOR))

    first, second = ledger.take()
    assert (first.count, first.last_at, second.count) == (2, T0 + COUNTED_FOR - S, 1)


def test_a_kind_that_is_not_counted_makes_an_event_each_time() -> None:
    ledger = Ledger()
    for _ in range(3):
        ledger.add(Occurrence(Kind.CONNECTION_CLOSING, T0, 7, "refused: nobody listens"))
    assert [each.count for each in ledger.take()] == [1, 1, 1]


def test_an_event_says_what_happened_how_often_why_and_what_to_do() -> None:
    ledger = Ledger()
    for cause, count in (("the destination answered 500", 2), ("the destination answered 404", 1)):
        ledger.add(lost(T0, cause, count))
    (event,) = ledger.take()

    assert event.message("Roof") == (
        "Message lost: On connection Roof with id 7 messages were lost 3 times: the destination answered 500 (2 times),"
        " the destination answered 404 (1 time). Correct the destination and replay them from the log, or set"
        " strictMode to have them sent again."
    )
    assert event.data("Roof") == {
        "connectionId": "7",
        "connectionName": "Roof",
        "cause": "the destination answered 500 (2 times), the destination answered 404 (1 time)",
        "count": 3,
        "lastTime": "2026-03-14T10:00:00.000Z",
    }


def test_many_different_causes_are_not_told_apart_for_ever() -> None:
    ledger = Ledger()
    for number in range(100):
        ledger.add(lost(T0, f"cause {number}"))
    (event,) = ledger.take()

    assert event.count == sum(event.causes.values()) == 100
    assert len(event.causes) == MAX_CAUSES + 1
    assert "other causes (92 times)" in event.message(None)
