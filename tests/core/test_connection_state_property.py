"""Whatever happens to a lane, in any order: what sections 4 and 5 promise holds after every step."""

from datetime import datetime, timedelta

from hypothesis.stateful import invariant, run_state_machine_as_test
from tests.core.lane_machine import SENDING, LaneMachine
from tests.samples.effort import examples

from longwire.core.connection_state import TABLE, WAITING, Event, Status
from longwire.core.delivery import MAX_RESENDS, Mode
from longwire.core.http import HttpResponse
from longwire.core.schedule import Strategy, next_offset

S = timedelta(seconds=1)


class LanePromises(LaneMachine):
    """The invariants, by name; and at the end of each life, that nothing waits for ever."""

    def __init__(self) -> None:
        super().__init__()
        self.planned_tries: dict[datetime, list[timedelta]] = {}

    @invariant()
    def every_state_is_in_the_table(self) -> None:
        assert self.state.status in {status for status, _ in TABLE}
        for before, event, after in self.steps[-20:]:
            assert after is TABLE.get((before, event), before)

    @invariant()
    def a_message_is_in_exactly_one_of_waiting_in_flight_outcome(self) -> None:
        in_flight = [each.position for each in self.in_flight]
        waiting = [position for position in self.queue.entries if position not in in_flight]
        everything = sorted(position for positions in self.put.values() for position in positions)
        assert sorted([*waiting, *in_flight, *self.outcomes]) == everything

    @invariant()
    def every_wait_has_a_due_time(self) -> None:
        if self.state.status in WAITING:
            self._check_the_next_try()
        for position in self.is_refused & set(self.queue.entries):
            due = self.queue.entries[position].not_before
            assert due is not None
            assert due <= self.now + 2 * S

    @invariant()
    def at_most_max_in_flight(self) -> None:
        assert len(self.in_flight) <= self.max_in_flight

    @invariant()
    def one_at_a_time_on_trial(self) -> None:
        if self.state.status is Status.OPENED and self.trouble_since is not None:
            assert len(self.in_flight) <= 1

    @invariant()
    def nothing_is_sent_unless_opened(self) -> None:
        assert all(status is Status.OPENED for _, status in self.sends)
        assert not self.in_flight or self.state.status in SENDING

    @invariant()
    def per_device_order(self) -> None:
        for device, positions in self.put.items():
            sent = [waiting.position for waiting, _ in self.sends if waiting.order_key == device]
            assert sent == sorted(sent)
            assert set(sent) == set(positions[: len(set(sent))])

    @invariant()
    def a_device_has_at_most_one_in_flight(self) -> None:
        devices = [each.order_key for each in self.in_flight]
        assert len(devices) == len(set(devices))

    @invariant()
    def strict_resends_at_most_three(self) -> None:
        assert all(each.resends <= MAX_RESENDS for each in self.queue.entries.values())
        most = {Mode.LOSE: 1, Mode.RESEND: 1 + MAX_RESENDS, Mode.CLOSE: 10**6}[self.mode]
        assert all(refusals <= most for refusals in self.refusals.values())

    @invariant()
    def an_outage_lasts_from_the_first_trouble_to_a_complete_response(self) -> None:
        outage = self.state.outage
        assert (outage.down_since if outage else None) == self.trouble_since

    @invariant()
    def no_try_comes_before_it_is_due_but_by_command(self) -> None:
        assert all(due is not None and due <= at for due, at in self.tries)

    @invariant()
    def every_planned_try_is_made_once(self) -> None:
        for planned in self.planned_tries.values():
            assert planned == sorted(set(planned))

    def teardown(self) -> None:
        """Everything ends when the destination does its part: nothing waits for ever."""
        if not hasattr(self, "policy"):
            return
        for _ in range(10 + 20 * len(self.queue.entries)):
            if not self.queue.entries:
                break
            self._go_on()
        assert not self.queue.entries

    def _happen(self, event: Event, jitter: float = 0.0) -> None:
        outage = self.state.outage
        if event is Event.RETRY_DUE and self.state.status in WAITING and outage is not None:
            self.planned_tries.setdefault(outage.down_since, []).append(outage.planned)
        super()._happen(event, jitter)

    def _go_on(self) -> None:
        if self.state.status in {Status.DEACTIVATED, Status.UNREACHABLE}:
            self._happen(Event.CONNECT)
        elif self.is_probing:
            self.end_the_probe(Event.REACHED, 0.0)
        elif self.in_flight:
            self.answer(0, HttpResponse(200, (), b"", truncated=False, remote_address=""))
        elif self.state.retry_at is not None:
            self.wait_for_the_next_try()
        elif self.state.status in WAITING:  # given up
            assert self.policy.strategy is Strategy.CALM
            self._happen(Event.CONNECT)
        else:
            self.now += 2 * S
            self.send()

    def _check_the_next_try(self) -> None:
        """A try is planned where the strategy puts it, counted from the closing; CALM alone gives up."""
        assert self.trouble_since is not None
        strategy, blame_period = self.policy.strategy, self.policy.blame_period
        soonest = next_offset(strategy, blame_period, self.waits_since - self.trouble_since)
        # A try that jitter made early is not repeated at its planned time.
        after = None if soonest is None else next_offset(strategy, blame_period, soonest)
        if self.state.retry_at is None:
            assert strategy is Strategy.CALM
            assert after is None
            return
        assert self.state.retry_at > self.now or self.in_flight
        due = self.state.retry_at - self.trouble_since
        assert any(abs(due - o) <= min(o / 10, 60 * S) for o in (soonest, after) if o is not None)


def test_a_lane_keeps_its_promises_whatever_happens() -> None:
    effort = examples(300, stateful_step_count=50)
    run_state_machine_as_test(LanePromises, settings=effort)
