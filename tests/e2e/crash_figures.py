"""What a crash test is judged by, computed from the ledger of the sender and the log of the receiver."""

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.fleet import Ledger
from tests.e2e.sink import Received

REPORT = Path(__file__).parents[2] / "docs" / "reliability.md"
COMMAND = "TEST_LONG=1 .venv/bin/pytest -q tests/e2e/test_crash.py"


@dataclass(frozen=True, slots=True)
class Figures:
    """The outcome of all rounds; everything named `missing`, `wrong` or `unexplained` must be empty."""

    acknowledged: int
    received: int
    repeats: int
    repeats_of_a_kill: dict[int, int]
    missing: list[tuple[str, int]]
    wrong_order: list[str]
    wrong_ids: list[tuple[str, int]]
    wrong_attempts: list[str]
    unexplained: list[str]

    @property
    def most_repeats(self) -> int:
        return max(self.repeats_of_a_kill.values(), default=0)


@dataclass(frozen=True, slots=True)
class Run:
    """How the rounds were run."""

    rounds: int
    moments: Counter[str]
    devices: int
    max_in_flight: int
    offered_per_second: float


Report = dict[str, tuple[Run, Figures]]


def judge(ledger: Ledger, requests: Sequence[Received]) -> Figures:
    """Compare what was acknowledged with what arrived.

    A repeat is charged to the kill that ended the epoch of the receipt before it; without a kill in between it is
    unexplained.
    """
    ids_of: dict[tuple[str, int], set[str]] = defaultdict(set)
    counters: dict[str, list[int]] = defaultdict(list)
    last: dict[str, Received] = {}
    of_a_kill: Counter[int] = Counter()
    wrong_attempts, unexplained = [], []
    for request in requests:
        content = json.loads(request.body)["DevEUI_uplink"]
        message_id, key = request.message_id, (content["DevEUI"], content["FCntUp"])
        ids_of[key].add(message_id)
        if (before := last.get(message_id)) is None:
            counters[key[0]].append(key[1])
        else:
            of_a_kill[before.epoch] += 1
            wrong_attempts += [message_id] if request.attempt <= before.attempt else []
            unexplained += [message_id] if request.epoch == before.epoch else []
        last[message_id] = request
    return Figures(
        acknowledged=len(ledger.acknowledged),
        received=len(requests),
        repeats=sum(of_a_kill.values()),
        repeats_of_a_kill=dict(of_a_kill),
        missing=sorted(set(ledger.acknowledged) - set(ids_of)),
        wrong_order=[dev_eui for dev_eui, numbers in counters.items() if numbers != sorted(numbers)],
        wrong_ids=[key for key, ids in ids_of.items() if len(ids) != 1],
        wrong_attempts=wrong_attempts,
        unexplained=unexplained,
    )


def describe(report: Report) -> str:
    """Return the figures as a table of Markdown, with a column for each road."""
    columns = [_column(run, figures) for run, figures in report.values()]
    head = ["", *report]
    rows = [[name, *(column[name] for column in columns)] for name in columns[0]]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows))


def _column(run: Run, figures: Figures) -> dict[str, str]:
    moments = ", ".join(f"{count} {moment}" for moment, count in sorted(run.moments.items()))
    return {
        "rounds, each ended by `kill -9`": f"{run.rounds} ({moments})",
        "uplinks offered per second while the server was up": f"{run.offered_per_second:.0f}",
        "uplinks acknowledged": f"{figures.acknowledged:,}",
        "acknowledged uplinks that never arrived": f"{len(figures.missing)}",
        "devices whose uplinks came out of order": f"{len(figures.wrong_order)}",
        "requests at the receiver": f"{figures.received:,}",
        "of these repeats": f"{figures.repeats}",
        "most repeats after one kill": f"{figures.most_repeats}",
        "repeats without a higher `Longwire-Attempt`": f"{len(figures.wrong_attempts)}",
        "repeats without a kill": f"{len(figures.unexplained)}",
        "uplinks delivered under two ids": f"{len(figures.wrong_ids)}",
    }


def write_report(report: Report) -> None:
    """Write docs/reliability.md."""
    run = next(run for run, _ in report.values())
    REPORT.write_text(
        TEXT.format(command=COMMAND, table=describe(report), devices=run.devices, limit=run.max_in_flight)
    )


TEXT = """# Reliability: what was shown

Written by the test itself:

    {command}

`make test` runs a few rounds of the same test on each road, `make test-long` these.

{table}

## How

A fleet of simulated devices sends signed uplinks over keep-alive connections, as a ThingPark LRC does: an uplink
that was not acknowledged is sent again, and a device's next uplink waits until its last one is acknowledged. One
connection delivers them to a receiver that takes up to 60 ms for an answer, so that several are always in flight:
{devices} devices, `maxInFlight` {limit}. The roads to the receiver: directly; by TLS with an authority of its own and a
client certificate; and through proxies as they are (Squid, tinyproxy, pproxy), each asking for a login.

In each round the server is killed with `kill -9`:

- `before` the receiver answers the request it just got,
- right `after` it has answered,
- or at a `random` moment.

Then it is started again on the same data folder, while the devices go on. After the last round everything that
waits is delivered, and the receiver's log is compared with what the devices have had acknowledged:

- every acknowledged uplink arrived at least once,
- the uplinks of each device arrived in order, once repeats are removed by `webhook-id`,
- an uplink that was sent again, because its acknowledgement was lost, is not delivered under a second id,
- after one kill at most `maxInFlight` ({limit}) requests are repeated, each with `Longwire-Attempt` of 2 or more,
- without a kill nothing is repeated.
"""
