"""The catalogue of events: codes of their own, texts that can be filled in, advice for every cause."""

import re
from datetime import UTC, datetime

import pytest

from longwire.core.connection_state import Outage, Report, State, Status
from longwire.core.event import ADVICE, Event, Kind, Occurrence, of_report
from longwire.core.http import Cause

T0 = datetime(2026, 3, 14, 10, 0, tzinfo=UTC)
FACTS = {"discarded": 2, "marked": 3, "unrecorded": 4}


def test_every_kind_has_a_code_of_its_own() -> None:
    codes = [kind.code for kind in Kind]
    assert sorted(codes) == sorted(set(codes))
    assert all(re.fullmatch(r"[a-z]{3}-[1-9][0-9]{3}", code) for code in codes)


@pytest.mark.parametrize("kind", Kind)
def test_every_text_can_be_filled_in(kind: Kind) -> None:
    event = Event(1, Occurrence(kind, T0, 7, "a cause with {braces}", FACTS), T0)
    event.add(event.first)
    text = event.message("A {name}")

    assert text.startswith(f"{kind.value.title}: ")
    assert text.endswith(".")
    assert ".." not in text


def test_there_is_advice_for_every_cause_that_closes_a_connection() -> None:
    told_otherwise = {Cause.PROXY_407.value, Cause.STOPPED.value}
    assert {cause.value for cause in Cause} - told_otherwise == set(ADVICE)


@pytest.mark.parametrize(
    ("reported", "state", "expected"),
    [
        (Status.CLOSING, State(Status.CLOSING, T0, outage=Outage(T0)), Kind.CONNECTION_CLOSING),
        (Status.CLOSED, State(Status.CLOSED, T0, outage=Outage(T0, retry_at=T0)), Kind.CONNECTION_CLOSING),
        (Status.CLOSED, State(Status.CLOSED, T0, outage=Outage(T0)), Kind.CONNECTION_GAVE_UP),
        (
            Status.AUTHENTICATION_FAILED,
            State(Status.AUTHENTICATION_FAILED, T0, outage=Outage(T0, retry_at=T0)),
            Kind.CONNECTION_AUTHENTICATION_FAILED,
        ),
        (Status.OPENED, State(Status.OPENED, T0), Kind.CONNECTION_OPENED),
    ],
)
def test_a_report_is_told_as_what_it_means(reported: Status, state: State, expected: Kind) -> None:
    assert of_report(7, Report(reported, "why"), state, T0).kind is expected
