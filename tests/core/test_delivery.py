"""The verdict on what came back, and why a delivery is sent (specification, section 5)."""

from datetime import UTC, datetime, timedelta

import pytest

from longwire.core.delivery import (
    DEAD_LETTERS,
    Mode,
    Outcome,
    Trigger,
    Verdict,
    Waiting,
    is_accepted,
    is_expired,
    is_reachable,
    next_trigger,
    verdict,
)
from longwire.core.http import Cause, HttpResponse, TransportFailure

S = timedelta(seconds=1)
T0 = datetime(2026, 3, 14, 10, 0, tzinfo=UTC)
ACCEPTED = range(200, 300)
NOT_ACCEPTED = [status for status in range(100, 600) if status not in ACCEPTED]


def answer(status: int, *, truncated: bool = False) -> HttpResponse:
    return HttpResponse(status, (("Retry-After", "60"),), b"", truncated, "127.0.0.1:80")


def judge(status: int, mode: Mode, resends: int = 0) -> Verdict:
    return verdict(answer(status), mode=mode, resends=resends)


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("resends", [0, 1, 2, 3])
def test_every_2xx_is_delivered(mode: Mode, resends: int) -> None:
    assert {judge(status, mode, resends) for status in ACCEPTED} == {Verdict(Outcome.DELIVERED)}


@pytest.mark.parametrize("resends", [0, 3])
def test_without_strict_mode_anything_else_is_lost_at_once(resends: int) -> None:
    for status in NOT_ACCEPTED:
        found = judge(status, Mode.LOSE, resends)
        assert found == Verdict(Outcome.LOST, f"the destination answered {status}, strictMode is off")


@pytest.mark.parametrize("resends", [0, 1, 2])
def test_with_strict_mode_anything_else_is_sent_again_two_seconds_later(resends: int) -> None:
    for status in NOT_ACCEPTED:
        found = judge(status, Mode.RESEND, resends)
        assert found == Verdict(Outcome.QUEUED, f"the destination answered {status}", resend_after=2 * S)


def test_after_three_resends_it_is_rejected() -> None:
    for status in NOT_ACCEPTED:
        found = judge(status, Mode.RESEND, resends=3)
        assert found == Verdict(Outcome.REJECTED, f"the destination answered {status} after 3 resends")


@pytest.mark.parametrize("resends", [0, 3])
def test_with_the_action_close_the_message_stays_and_the_connection_closes(resends: int) -> None:
    for status in NOT_ACCEPTED:
        found = judge(status, Mode.CLOSE, resends)
        assert (found.outcome, found.closes, found.resend_after) == (Outcome.QUEUED, True, None)
        assert found.reason == f"the destination answered {status}, strictModeAction is CLOSE"


@pytest.mark.parametrize(
    ("status", "lose", "resend"),
    [
        (101, Outcome.LOST, Outcome.QUEUED),  # the only 1xx that ends an exchange
        (200, Outcome.DELIVERED, Outcome.DELIVERED),
        (204, Outcome.DELIVERED, Outcome.DELIVERED),
        (299, Outcome.DELIVERED, Outcome.DELIVERED),
        (300, Outcome.LOST, Outcome.QUEUED),
        (301, Outcome.LOST, Outcome.QUEUED),  # never followed
        (308, Outcome.LOST, Outcome.QUEUED),
        (400, Outcome.LOST, Outcome.QUEUED),
        (404, Outcome.LOST, Outcome.QUEUED),
        (429, Outcome.LOST, Outcome.QUEUED),  # its Retry-After is shown, not obeyed
        (500, Outcome.LOST, Outcome.QUEUED),
        (503, Outcome.LOST, Outcome.QUEUED),
        (599, Outcome.LOST, Outcome.QUEUED),
    ],
)
def test_what_a_status_means_for_a_first_attempt(status: int, lose: Outcome, resend: Outcome) -> None:
    assert judge(status, Mode.LOSE).outcome is lose
    assert judge(status, Mode.RESEND).outcome is resend
    assert judge(status, Mode.RESEND).resend_after in {None, 2 * S}


def test_what_follows_the_header_does_not_change_the_verdict() -> None:
    for status in (200, 500):
        whole, cut = answer(status), answer(status, truncated=True)
        assert verdict(cut, mode=Mode.LOSE, resends=0) == verdict(whole, mode=Mode.LOSE, resends=0)


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("resends", [0, 3])
@pytest.mark.parametrize("cause", list(Cause))
def test_without_a_complete_response_the_message_stays_and_the_connection_closes(
    cause: Cause, resends: int, mode: Mode
) -> None:
    found = verdict(TransportFailure(cause, "why"), mode=mode, resends=resends)

    assert found == Verdict(Outcome.QUEUED, f"{cause.value}: why", resend_after=None, closes=True)


def test_a_destination_is_reachable_when_it_answers_whatever_it_says() -> None:
    assert all(is_reachable(answer(status)) for status in range(100, 600))
    assert not any(is_reachable(TransportFailure(cause, "why")) for cause in Cause)


def test_only_2xx_is_accepted() -> None:
    assert [status for status in range(100, 600) if is_accepted(status)] == list(ACCEPTED)


@pytest.mark.parametrize(
    ("attempt_count", "resends", "not_before", "expected"),
    [
        (0, 0, None, Trigger.FIRST),
        (1, 0, None, Trigger.RECONNECT),  # nothing came back
        (1, 0, T0, Trigger.RESEND),
        (2, 1, T0, Trigger.RESEND),
        (2, 1, None, Trigger.RECONNECT),  # a resend to which nothing came back
        (4, 3, None, Trigger.RECONNECT),
    ],
)
def test_why_a_delivery_is_sent(
    attempt_count: int, resends: int, not_before: datetime | None, expected: Trigger
) -> None:
    waiting = Waiting(1, 1, "A", T0, T0, attempt_count=attempt_count, resends=resends, not_before=not_before)

    assert next_trigger(waiting) is expected


@pytest.mark.parametrize(
    ("answers", "outcome", "resends"),
    [
        ([500, 500, 500, 500], Outcome.REJECTED, 3),
        ([500, 500, 200], Outcome.DELIVERED, 2),
        ([None, 500, 500, 500, 500], Outcome.REJECTED, 3),  # reconnects do not count
        ([None, None, None, 200], Outcome.DELIVERED, 0),
        ([500, None, 500, 500, 500], Outcome.REJECTED, 3),  # a resend without an answer was one
        ([500, 500, 500, None, None, 200], Outcome.DELIVERED, 3),
        ([500, 500, 500, None, None, 404], Outcome.REJECTED, 3),
        ([404, 301, 101], Outcome.QUEUED, 2),
    ],
)
def test_the_life_of_a_message_in_strict_mode(
    answers: list[int | None], outcome: Outcome, resends: int
) -> None:
    waiting = Waiting(1, 1, "A", T0, T0)
    found = Verdict(Outcome.QUEUED)
    for status in answers:
        assert found.outcome is Outcome.QUEUED
        made = waiting.resends + (next_trigger(waiting) is Trigger.RESEND)
        result = TransportFailure(Cause.RESET, "") if status is None else answer(status)
        found = verdict(result, mode=Mode.RESEND, resends=made)
        due = T0 + found.resend_after if found.resend_after else None
        waiting = Waiting(1, 1, "A", T0, T0, waiting.attempt_count + 1, made, due)

    assert (found.outcome, waiting.resends) == (outcome, resends)


@pytest.mark.parametrize(
    ("age", "expected"), [(-1 * S, False), (0 * S, False), (60 * S, False), (60.000001 * S, True)]
)
def test_a_message_is_expired_when_it_is_older_than_allowed(age: timedelta, *, expected: bool) -> None:
    assert is_expired(T0, 60 * S, T0 + age) is expected


def test_what_can_be_replayed_is_everything_that_ended_undelivered_but_what_was_filtered() -> None:
    ended = set(Outcome) - {Outcome.QUEUED}
    assert set(DEAD_LETTERS) == ended - {Outcome.DELIVERED, Outcome.FILTERED}
