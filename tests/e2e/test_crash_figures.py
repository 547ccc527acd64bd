"""The judge of the crash test sees each thing that must not happen: a judge that is blind proves nothing."""

import json

import pytest
from tests.e2e.crash_figures import Figures, judge
from tests.e2e.fleet import Ledger
from tests.e2e.sink import Received

A, B = "0059ACCC00000001", "0059ACCC00000002"


def got(dev_eui: str, f_cnt: int, *, attempt: int = 1, epoch: int = 0, name: str = "") -> Received:
    headers = (("webhook-id", name or f"{dev_eui}-{f_cnt}"), ("Longwire-Attempt", str(attempt)))
    body = json.dumps({"DevEUI_uplink": {"DevEUI": dev_eui, "FCntUp": f_cnt}}).encode()
    return Received("POST", "/", headers, body, 0.0, 1, epoch)


def figures(*requests: Received, acknowledged: list[tuple[str, int]] | None = None) -> Figures:
    return judge(Ledger(acknowledged=acknowledged or []), requests)


def test_a_clean_run_is_clean() -> None:
    seen = figures(
        got(A, 1), got(B, 1), got(A, 2), got(A, 2, attempt=2, epoch=1), acknowledged=[(A, 1), (A, 2), (B, 1)]
    )
    assert seen == Figures(3, 4, 1, {0: 1}, [], [], [], [], [])


@pytest.mark.parametrize(
    ("requests", "name", "expected"),
    [
        ([got(B, 1)], "missing", [(A, 1)]),
        ([got(A, 2), got(A, 1)], "wrong_order", [A]),
        ([got(A, 1), got(A, 1, name="other")], "wrong_ids", [(A, 1)]),
        ([got(A, 1), got(A, 1, epoch=1)], "wrong_attempts", [f"{A}-1"]),
        ([got(A, 1), got(A, 1, attempt=2)], "unexplained", [f"{A}-1"]),
    ],
)
def test_what_must_not_happen_is_seen(requests: list[Received], name: str, expected: object) -> None:
    assert getattr(figures(*requests, acknowledged=[(A, 1)]), name) == expected


def test_a_repeat_is_charged_to_the_kill_after_the_receipt_before_it() -> None:
    seen = figures(
        got(A, 1, epoch=2),
        got(B, 1, epoch=4),
        got(A, 1, epoch=5, attempt=2),
        got(B, 1, epoch=5, attempt=2),
        got(A, 1, epoch=6, attempt=3),
    )
    assert seen.repeats_of_a_kill == {2: 1, 4: 1, 5: 1}
    assert seen.most_repeats == 1
