"""The queue's contract, on every implementation: a stateful property against a model, and its promises one by one."""

import itertools
from datetime import UTC, datetime
from pathlib import Path

from hypothesis.stateful import run_state_machine_as_test
from tests.contract.conftest import OpenQueue
from tests.contract.queue_machine import QueueMachine
from tests.samples.effort import LONG, examples

T0 = datetime(2026, 3, 14, 10, 0, tzinfo=UTC)


def test_the_queue_agrees_with_its_model(open_queue: OpenQueue, tmp_path: Path) -> None:
    numbers = itertools.count()

    def machine() -> QueueMachine:
        folder = tmp_path / str(next(numbers))
        folder.mkdir()
        return QueueMachine(open_queue, folder)

    effort = examples(25, stateful_step_count=60 if LONG else 25)
    run_state_machine_as_test(machine, settings=effort)  # type: ignore[arg-type]
