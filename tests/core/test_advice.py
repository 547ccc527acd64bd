"""Every result that is no delivery comes with a sentence that says what to do."""

import pytest

from longwire.core.advice import of_attempt, of_delivery
from longwire.core.delivery import Outcome
from longwire.core.http import Cause


@pytest.mark.parametrize("cause", [*(each.value for each in Cause), "unknown"])
def test_every_cause_has_its_advice(cause: str) -> None:
    assert of_attempt(None, cause)


@pytest.mark.parametrize("status", [*range(100, 200), *range(300, 1000)])
def test_every_status_but_2xx_has_its_advice(status: int) -> None:
    assert of_attempt(status, None)


@pytest.mark.parametrize("status", range(200, 300))
def test_there_is_nothing_to_do_about_a_2xx(status: int) -> None:
    assert of_attempt(status, None) is None


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "Authorization"),
        (404, "destinationURL"),
        (302, "Location"),
        (415, "Content-Type"),
        (429, "maxRequestsPerSecond"),
        (418, "body of its answer"),
        (500, "its log"),
    ],
)
def test_the_advice_names_what_to_change(status: int, words: str) -> None:
    assert words in (of_attempt(status, None) or "")


@pytest.mark.parametrize("outcome", [each for each in Outcome if each is not Outcome.DELIVERED])
def test_every_outcome_but_delivered_has_its_advice_once_it_was_tried(outcome: Outcome) -> None:
    assert of_delivery(outcome, 500, None)


@pytest.mark.parametrize(
    ("outcome", "status", "cause", "expected"),
    [
        (Outcome.DELIVERED, 200, None, None),
        (Outcome.QUEUED, None, None, None),
        (Outcome.QUEUED, None, "refused", of_attempt(None, "refused")),
        (Outcome.REJECTED, 500, None, f"{of_attempt(500, None)}. Then replay it"),
    ],
)
def test_a_delivery_that_waits_has_the_advice_of_its_last_attempt(
    outcome: Outcome, status: int | None, cause: str | None, expected: str | None
) -> None:
    assert of_delivery(outcome, status, cause) == expected
