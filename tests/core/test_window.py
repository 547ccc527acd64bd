"""The lane's look-ahead: the oldest first, each device in its order, in bounded memory."""

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
from msgspec.structs import replace
from tests.core.waiting_list import T0, WaitingList, fill
from tests.samples.effort import LONG, examples

from longwire.core.delivery import Waiting
from longwire.core.window import CAPACITY, DEVICE_DEPTH, ReadDevice, ReadPage, Window

S = timedelta(seconds=1)
MOST = CAPACITY + 512  # some devices more may come back for one delivery each
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

    @rule(devices=st.lists(DEVICES, min_size=1, max_size=8))
    def hand_over(self, devices: list[str]) -> None:
        for device in devices:
            self.queue.hand_over(device, self.window)

    @rule(device=DEVICES, count=st.sampled_from([31, 33, 65, 600]))
    def hand_over_a_flood(self, device: str, count: int) -> None:
        self.hand_over([device] * count)

    @rule(
        before=st.lists(DEVICES, max_size=2), after=st.lists(DEVICES, max_size=2), limit=st.integers(1, 1000)
    )
    def hand_over_during_a_read(self, before: list[str], after: list[str], limit: int) -> None:
        read = self.window.wanted_read(limit)
        if isinstance(read, ReadPage):
            self.window.begin_read()
        self.hand_over(before)
        found = self.queue.answer(read) if read else []
        self.hand_over(after)
        if isinstance(read, ReadPage):
            self.window.add_page(found, read)
        elif read:
            self.window.add_device(found, read)

    @rule(device=DEVICES)
    def hand_over_what_a_read_has_found_already(self, device: str) -> None:
        self.queue.put(device)
        fill(self.window, self.queue, 1000)
        self.window.notice()
        fill(self.window, self.queue, 1000)
        self.window.hand_over(list(self.queue.entries.values())[-1], 0)

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
        expected = self.queue.next_to_send(self.in_flight, self.now)

        taken = self.window.take(self.now)

        assert taken == expected or (taken is None and len(self.window) >= CAPACITY)
        if taken is not None:
            self.in_flight[taken.order_key] = taken

    @precondition(lambda self: self.in_flight)
    @rule(which=WHICH)
    def end(self, which: int) -> None:
        taken = self._pick(which)
        self.queue.remove(taken)
        self.ended.setdefault(taken.order_key, []).append(taken.position)
        self.window.finish(taken)

    @precondition(lambda self: not self.is_closing and len(self.in_flight) < self.max_in_flight)
    @rule(count=st.sampled_from([10, 31, 32, 33, 70]), device=DEVICES)
    def work_off_while_more_comes(self, count: int, device: str) -> None:
        for n in range(count):
            before = set(self.in_flight)
            self.take()
            for taken in set(self.in_flight) - before:
                self.end(sorted(self.in_flight).index(taken))
            if n % 10 == 0:
                self.put_some([device])

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
    def ask_when_the_next_resend_will_be_due(self) -> None:
        fill(self.window, self.queue, 10 * MOST)
        idle = [each for each in self.queue.heads() if each.order_key not in self.in_flight]
        waits = [each.not_before for each in idle if each.not_before and each.not_before > self.now]

        assert self.window.next_due(self.now) == min(waits, default=None) or len(self.window) >= CAPACITY

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

    def _pick(self, which: int) -> Waiting:
        devices = sorted(self.in_flight)
        taken = self.in_flight.pop(devices[which % len(devices)])
        self.is_closing = self.is_closing and bool(self.in_flight)
        return taken

    def _put_back(self, waiting: Waiting) -> None:
        self.queue.replace(waiting)
        self.window.put_back(waiting)


class Lane:
    """A window over a list, and what was taken from it."""

    def __init__(self, max_in_flight: int) -> None:
        self.max_in_flight = max_in_flight
        self.queue = WaitingList()
        self.window = Window()
        self.now = T0
        self.in_flight: list[Waiting] = []

    def put(self, devices: str | list[str]) -> None:
        for device in devices:
            self.queue.put(device)
        self.window.notice()

    def take(self) -> list[str]:
        """Take as much as may be in flight; return whose messages it is."""
        taken = []
        while len(self.in_flight) < self.max_in_flight:
            fill(self.window, self.queue, 2 * self.max_in_flight)
            if (waiting := self.window.take(self.now)) is None:
                break
            self.in_flight.append(waiting)
            taken.append(waiting.order_key)
        return taken

    def end(self, *devices: str) -> None:
        for waiting in self._of(devices):
            self.queue.remove(waiting)
            self.window.finish(waiting)

    def refuse(self, *devices: str) -> None:
        for waiting in self._of(devices):
            resent = replace(waiting, not_before=self.now + 2 * S)
            self.queue.replace(resent)
            self.window.put_back(resent)

    def _of(self, devices: tuple[str, ...]) -> list[Waiting]:
        found = [each for each in self.in_flight if each.order_key in devices]
        self.in_flight = [each for each in self.in_flight if each not in found]
        return found


def test_the_window_agrees_with_the_list_it_looks_at() -> None:
    effort = examples(60, stateful_step_count=150 if LONG else 60)
    run_state_machine_as_test(WindowMachine, settings=effort)


def test_a_device_that_floods_neither_fills_the_window_nor_hides_the_others() -> None:
    lane = Lane(max_in_flight=16)
    others = [f"other {n}" for n in range(10)]
    lane.put(["flood"] * 50_000 + others)

    assert lane.take() == ["flood", *others]
    assert len(lane.window) == DEVICE_DEPTH + len(others)


def test_a_device_that_floods_is_sent_in_its_order() -> None:
    lane = Lane(max_in_flight=4)
    lane.put(["flood"] * 1_000)
    positions = []
    while lane.take():
        positions += [each.position for each in lane.in_flight]
        lane.end("flood")

    assert positions == list(range(1, 1_001))


def test_what_comes_later_does_not_overtake_what_a_device_has_left_on_disk() -> None:
    lane = Lane(max_in_flight=1)
    lane.put(["flood"] * (DEVICE_DEPTH + 2))
    positions = []
    for _ in range(DEVICE_DEPTH + 4):
        lane.take()
        positions += [each.position for each in lane.in_flight]
        lane.end("flood")
        if len(positions) == 5:
            lane.put(["flood"] * 2)

    assert positions == list(range(1, DEVICE_DEPTH + 5))


def test_nothing_is_taken_before_what_a_device_has_left_on_disk_is_read() -> None:
    lane = Lane(max_in_flight=1)
    lane.put(["flood"] * (DEVICE_DEPTH + 1) + ["other"])
    for _ in range(DEVICE_DEPTH):
        lane.take()
        lane.end("flood")

    assert lane.window.take(lane.now) is None
    assert lane.window.wanted_read(2) == ReadDevice("flood", DEVICE_DEPTH, DEVICE_DEPTH + 2)
    assert lane.take() == ["flood"]


def test_a_device_that_waits_for_a_resend_holds_nobody_up() -> None:
    lane = Lane(max_in_flight=1)
    lane.put("AAB")
    assert lane.take() == ["A"]
    lane.refuse("A")

    assert lane.take() == ["B"]
    lane.end("B")
    assert lane.take() == []
    assert lane.window.next_due(lane.now) == T0 + 2 * S
    lane.now += 2 * S
    assert lane.window.next_due(lane.now) is None
    assert lane.take() == ["A"]
    assert lane.in_flight[0].position == 1


def test_devices_that_come_back_for_more_do_not_overfill_the_window() -> None:
    lane = Lane(max_in_flight=100)
    groups = [[f"{group} {n}" for n in range(100)] for group in range(3)]
    for devices in groups:
        lane.put(devices * (2 * DEVICE_DEPTH))
        for _ in range(DEVICE_DEPTH - 1):
            lane.take()
            lane.end(*devices)
        lane.take()
        lane.refuse(*devices)
    lane.now += 2 * S
    for devices in groups:
        lane.take()
        lane.end(*devices)
        assert lane.take() == devices
        lane.refuse(*devices)

    assert len(lane.window) < MOST


def test_what_is_in_flight_is_marked_after_a_crash_although_resends_uncover_older_messages() -> None:
    lane = Lane(max_in_flight=2)
    lane.put("RSRSBC")
    assert lane.take() == ["R", "S"]
    lane.refuse("R", "S")
    assert lane.take() == ["B", "C"]
    lane.end("B")
    lane.now += 2 * S
    assert lane.take() == ["R"]
    lane.end("R")

    assert lane.take() == ["R"]  # the resend of S has to wait: behind it there is another latecomer
    lane.end("R")
    assert lane.take() == ["S"]
    lane.end("S")

    marked = list(lane.queue.possibly_sent(2, lane.now))
    assert all(each in marked for each in lane.in_flight)
