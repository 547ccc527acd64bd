"""What refusing a Token costs tells nothing of how much of it is right."""

import statistics
import time
from datetime import UTC, datetime

import pytest
from tests.e2e.lrc import AS_KEY, uplink

from longwire.core.errors import Forbidden
from longwire.core.network_server import NetworkServer
from longwire.sources.ingest_request import IngestRequest
from longwire.sources.thingpark import parse

SAMPLES = 10_000
SENT = uplink("0059AC0000000001", 1)
SERVER = NetworkServer("LRC", as_key=AS_KEY)
QUERY, _, TOKEN = SENT.query.partition("&Token=")


def refusal_of(token: str) -> IngestRequest:
    now = datetime(2026, 3, 14, 10, 0, tzinfo=UTC)
    return IngestRequest("ns", f"{QUERY}&Token={token}", "application/json", SENT.body, now)


def cpu_ns(request: IngestRequest) -> int:
    """Return the processor time that a refusal takes."""
    began = time.thread_time_ns()
    with pytest.raises(Forbidden):
        parse(request, SERVER)
    return time.thread_time_ns() - began


def other(digit: str) -> str:
    return "0" if digit != "0" else "1"


def test_in_09_a_refusal_costs_the_same_whichever_digit_is_wrong() -> None:
    first = refusal_of(other(TOKEN[0]) + TOKEN[1:])
    last = refusal_of(TOKEN[:-1] + other(TOKEN[-1]))
    # In turns, so that whatever slows the machine slows both.
    pairs = [(cpu_ns(first), cpu_ns(last)) for _ in range(SAMPLES)]

    medians = [statistics.median(each) for each in zip(*pairs, strict=True)]
    assert abs(medians[0] - medians[1]) < 0.02 * min(medians)
