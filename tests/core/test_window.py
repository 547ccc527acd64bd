"""The lane's look-ahead: the oldest first, each device in its order, in bounded memory."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from tests.core.waiting_list import T0, WaitingList, fill
from tests.samples.effort import LONG, examples

from longwire.core.delivery import Waiting
from longwire.core.window import CAPACITY, DEVICE_DEPTH, PAGE, ReadPage, Window

S = timedelta(seconds=1)
MOST = CAPACITY + PAGE
DEVICES = st.sampled_from("ABCDEFGH")
WHICH = st.integers(0, 999)


class WindowMachine(RuleBasedStateMachine):
    """A window over a list, driven as a lane drives it."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = WaitingList()
        self.window = Window()
        self.now = T0
        self.in_flight: dict[str, Waiting] = {}
        self.is_closing = False
        self.ended: dict[str, list[int]] = {}

    @initialize(max_in_flight=st.integers(1, 4))
    def open(self, max_in_flight: int) -> None:
        self.max_in_flight = max_in_flight

    @rule(devices=st.lists(DEVICES, min_size=1, max_size=8))
    def put_some(self, devices: list[str]) -> None:
        for device in devices:
            self.queue.put(device)
        self.window.notice()

    @rule(device=DEVICES, count=st.sampled_from([31, 32, 33, 64, 65, 600, 3000]))
    def flood(self, device: str, count: int) -> None:
        self.put_some([device] * count)

    @rule(device=DEVICES)
    def put_while_a_page_is_read(self, device: str) -> None:
        read = self.window.wanted_read(1000)
        if isinstance(read, ReadPage):
            self.window.begin_read()
            found = self.queue.answer(read)
            self.put_some([device])
            self.window.add_page(found, read)

    @precondition(lambda self: not self.is_closing and len(self.in_flight) < self.max_in_flight)
    @rule()
    def take(self) -> None:
        fill(self.window, self.queue, 2 * self.max_in_flight)
        ready = self.queue.ready(self.in_flight, self.now)

        taken = self.window.take(self.now)

        if taken is None:
            assert not ready or len(self.window) >= CAPACITY
            return
        assert taken == ready[0]
        self.in_flight[taken.order_key] = taken

    @precondition(lambda self: self.in_flight)
    @rule(which=WHICH)
    def end(self, which: int) -> None:
        taken = self._pick(which)
        self.queue.remove(taken)
        self.ended.setdefault(taken.order_key, []).append(taken.position)
        self.window.finish(taken)

    @precondition(lambda self: self.in_flight)
    @rule(which=WHICH)
    def refuse(self, which: int) -> None:
        self._put_back(replace(self._pick(which), not_before=self.now + 2 * S))

    @precondition(lambda self: self.in_flight)
    @rule(which=WHICH)
    def leave_unanswered(self, which: int) -> None:
        self._put_back(replace(self._pick(which), not_before=None))
        self.is_closing = bool(self.in_flight)

    @precondition(lambda self: self.in_flight)
    @rule(which=WHICH)
    def hand_back_unsent(self, which: int) -> None:
        self._put_back(self._pick(which))

    @rule(seconds=st.integers(1, 3))
    def pass_time(self, seconds: int) -> None:
        self.now += seconds * S

    @rule()
    def restart(self) -> None:
        self.window = Window()
        self.in_flight.clear()
        self.is_closing = False

    @invariant()
    def what_is_in_flight_is_marked_after_a_crash(self) -> None:
        marked = list(self.queue.possibly_sent(self.max_in_flight, self.now)) if self.in_flight else []
        assert all(taken in marked for taken in self.in_flight.values())

    @invariant()
    def each_device_keeps_its_order(self) -> None:
        assert all(positions == sorted(positions) for positions in self.ended.values())

    @invariant()
    def memory_is_bounded(self) -> None:
        assert len(self.window) < MOST

    @invariant()
    def the_next_resend_is_known(self) -> None:
        waits = [each.not_before for each in self.queue.heads() if each.order_key not in self.in_flight]
        due = self.window.next_due()
        assert due is None or due in waits

    def _pick(self, which: int) -> Waiting:
        devices = sorted(self.in_flight)
        taken = self.in_flight.pop(devices[which % len(devices)])
        self.is_closing = self.is_closing and bool(self.in_flight)
        return taken

    def _put_back(self, waiting: Waiting) -> None:
        self.queue.replace(waiting)
        self.window.put_back(waiting)


def test_the_window_agrees_with_the_list_it_looks_at() -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        WindowMachine, settings=examples(60, stateful_step_count=150 if LONG else 60)
    )
