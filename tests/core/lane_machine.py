"""A lane as a model: everything that can happen to it, in any order, and what the lane would do."""

from datetime import datetime, timedelta

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
)
from msgspec.structs import replace
from tests.core.waiting_list import T0, WaitingList, fill

from longwire.core.connection_state import (
    WAITING,
    Event,
    Happened,
    Policy,
    Probe,
    State,
    Status,
    allowance,
    idle_at,
    step,
)
from longwire.core.delivery import (
    Mode,
    Outcome,
    Trigger,
    Verdict,
    Waiting,
    is_accepted,
    next_trigger,
    verdict,
)
from longwire.core.http import Cause, HttpResponse, TransportFailure
from longwire.core.schedule import Strategy
from longwire.core.window import Window

S = timedelta(seconds=1)
WHICH = st.integers(0, 99)
JITTER = st.sampled_from([-1.0, 0.0, 0.5, 1.0])
WAITS_S = st.sampled_from([0.5, 1, 2, 5, 60, 400, 3600, 7000, 90_000])
RUNNING = frozenset(Status) - {Status.DEACTIVATED, Status.UNREACHABLE}
# What `storage/recovery.py` takes for a connection that may have had messages in flight.
SENDING = (Status.OPENED, Status.CLOSING, Status.AUTHENTICATION_FAILED)
STOPPED = TransportFailure(Cause.STOPPED, "")
REFUSED_BY_PROXY = TransportFailure(Cause.PROXY_407, "")
Result = HttpResponse | TransportFailure
PROBED = [*[Event.REACHED] * 4, Event.UNANSWERED, Event.CREDENTIALS_REFUSED]
STATUSES = st.sampled_from([200, 200, 503, 404, 301, 101])
RESULTS: st.SearchStrategy[Result] = STATUSES.map(
    lambda status: HttpResponse(status, (), b"", truncated=False, remote_address="")
) | st.sampled_from(
    [TransportFailure(Cause.TIMEOUT, ""), TransportFailure(Cause.RESET, ""), REFUSED_BY_PROXY]
)
INTERRUPTIONS = {
    "deactivate": Event.DEACTIVATE,
    "update": Event.CONNECT,
    "stop": Event.RESUME,
    "kill": Event.RESUME,
    "lose the worker": Event.HOST_LOST,
}


class LaneMachine(RuleBasedStateMachine):
    """One connection: what is durable (queue, outcomes, state), and the lane's memory (window, in flight, probe)."""

    def __init__(self) -> None:
        super().__init__()
        self.now = T0
        self.state = State(Status.DEACTIVATED, T0)
        self.queue = WaitingList()
        self.outcomes: dict[int, Outcome] = {}
        self.window = Window()
        self.in_flight: list[Waiting] = []
        self.is_probing = False
        self.last_put_at = T0
        # What the model knows by itself
        self.put: dict[str, list[int]] = {}
        self.trouble_since: datetime | None = None
        self.waits_since = T0
        self.steps: list[tuple[Status, Event, Status]] = []
        self.tries: list[tuple[datetime | None, datetime]] = []
        self.sends: list[tuple[Waiting, Status]] = []
        self.refusals: dict[int, int] = {}
        self.is_refused: set[int] = set()

    @initialize(
        strategy=st.sampled_from(Strategy),
        blame_period_s=st.sampled_from([0, 5, 30]),
        mode=st.sampled_from(Mode),
        max_in_flight=st.integers(1, 4),
        is_reached=st.sampled_from([True, True, True, False]),
    )
    def create(
        self, strategy: Strategy, blame_period_s: int, mode: Mode, max_in_flight: int, *, is_reached: bool
    ) -> None:
        self.policy = Policy(strategy, blame_period_s * S)
        self.mode = mode
        self.max_in_flight = max_in_flight
        self._happen(Event.CONNECT)
        self.put_messages(list("ABCABDAA"))
        if is_reached:
            self.end_the_probe(Event.REACHED, 0.0)

    # The network

    @rule(devices=st.lists(st.sampled_from("ABCDEF"), min_size=1, max_size=8))
    def put_messages(self, devices: list[str]) -> None:
        for device in devices:
            self.put.setdefault(device, []).append(self.queue.put(device))
        self.last_put_at = self.now
        self.window.notice()

    @rule(seconds=WAITS_S)
    def pass_time(self, seconds: float) -> None:
        self.now += seconds * S
        self._do_what_is_due()

    @precondition(lambda machine: machine.state.retry_at is not None)
    @rule()
    def wait_for_the_next_try(self) -> None:
        self.now = max(self.now, self.state.retry_at or self.now)
        self._do_what_is_due()

    # The destination

    @precondition(lambda machine: machine.is_probing)
    @rule(result=st.sampled_from(PROBED), jitter=JITTER)
    def end_the_probe(self, result: Event, jitter: float) -> None:
        self.is_probing = False
        self._happen(result, jitter)

    @precondition(lambda machine: machine.is_probing)
    @rule()
    def ask_for_credentials(self) -> None:
        self._happen(Event.CREDENTIALS_SENT)

    @rule()
    def send(self) -> None:
        """Send as much as the state allows."""
        while len(self.in_flight) < allowance(self.state, self.max_in_flight):
            fill(self.window, self.queue, 2 * self.max_in_flight)
            waiting = self.window.take(self.now)
            if waiting is None:
                return
            self.in_flight.append(waiting)
            self.sends.append((waiting, self.state.status))
            self.is_refused.discard(waiting.position)

    @precondition(lambda machine: machine.in_flight)
    @rule(which=WHICH, result=RESULTS)
    def answer(self, which: int, result: Result) -> None:
        waiting = self.in_flight.pop(which % len(self.in_flight))
        if isinstance(result, HttpResponse) and not is_accepted(result.status):
            self.refusals[waiting.position] = self.refusals.get(waiting.position, 0) + 1
        self._conclude(waiting, result)
        self._do_what_is_due()

    @precondition(lambda machine: machine.state.status is Status.OPENED)
    @rule(
        results=st.lists(RESULTS, min_size=4, max_size=20) | RESULTS.map(lambda result: [result] * 20),
        which=WHICH,
        pause_s=st.sampled_from([0.1, 1, 2]),
    )
    def send_and_answer_for_a_while(self, results: list[Result], which: int, pause_s: float) -> None:
        for result in results:
            self.send()
            if self.in_flight:
                self.answer(which, result)
            self.pass_time(pause_s)

    # The operator, and the machine Longwire runs on

    @rule(how=st.sampled_from(["deactivate", "update", "stop", "kill", "lose the worker"]))
    def interrupt(self, how: str) -> None:
        if self.state.status not in RUNNING:
            self._happen(Event.CONNECT if self.state.status is Status.DEACTIVATED else Event.RESUME)
            return
        if how in {"kill", "lose the worker"}:
            self._kill()
        else:
            self._stop()
        self._happen(INTERRUPTIONS[how])
        self._do_what_is_due()

    # How a lane works

    def _happen(self, event: Event, jitter: float = 0.0) -> None:
        before = self.state
        self.state, commands = step(before, Happened(event, self.now, "why", jitter), self.policy)
        self.steps.append((before.status, event, self.state.status))
        if event is not Event.CONNECT and before.status in WAITING and self.state.status is Status.OPENING:
            self.tries.append((before.retry_at, self.now))
        self.is_probing = self.is_probing or Probe() in commands
        self._remember_trouble(before, event)

    def _remember_trouble(self, before: State, event: Event) -> None:
        """Keep the model's own idea of an outage, from the specification's words."""
        is_trouble = event in {Event.UNANSWERED, Event.CREDENTIALS_REFUSED}
        if event is Event.ANSWERED and before.status is Status.OPENED:
            self.trouble_since = None
        elif is_trouble and before.status in {Status.OPENING, Status.AUTHENTICATING, Status.OPENED}:
            self.trouble_since = self.trouble_since or self.now
        elif event is Event.CONNECT and self.trouble_since is not None:
            self.trouble_since = self.now
        if self.state.status in WAITING and before.status not in WAITING:
            self.waits_since = self.now

    def _do_what_is_due(self) -> None:
        """Try again, or restart for want of uplinks; never while something is in flight."""
        if self.in_flight:
            return
        if self.state.retry_at is not None and self.state.retry_at <= self.now:
            self._happen(Event.RETRY_DUE)
        idle = idle_at(self.state, self.policy, self.last_put_at)
        if idle is not None and idle <= self.now:
            self._happen(Event.IDLE)

    def _conclude(self, waiting: Waiting, result: Result) -> None:
        """Judge a result, record it, tell the state machine, let the device go on."""
        resends = waiting.resends + (next_trigger(waiting) is Trigger.RESEND)
        found = verdict(result, mode=self.mode, resends=resends)
        due = self.now + found.resend_after if found.resend_after else None
        staying = replace(waiting, attempt_count=waiting.attempt_count + 1, resends=resends, not_before=due)
        if found.outcome is Outcome.QUEUED:
            self.queue.replace(staying)
            self.window.put_back(staying)
        else:
            self.queue.remove(waiting)
            self.outcomes[waiting.position] = found.outcome
            self.window.finish(waiting)
        if found.resend_after:
            self.is_refused.add(waiting.position)
        self._tell(result, found)

    def _tell(self, result: Result, found: Verdict) -> None:
        if result == STOPPED:
            return
        if found.closes:
            self._happen(Event.CREDENTIALS_REFUSED if result == REFUSED_BY_PROXY else Event.UNANSWERED)
        elif self.state.outage is not None:
            self._happen(Event.ANSWERED)
        if self.state.status is Status.CLOSING and not self.in_flight:
            self._happen(Event.DRAINED)

    def _stop(self) -> None:
        """End the lane: what is in flight is recorded as stopped, and kept."""
        while self.in_flight:
            self._conclude(self.in_flight.pop(), STOPPED)
        self._forget()

    def _kill(self) -> None:
        """End without a word: what may have been in flight gets its `unknown` attempt."""
        marked = list(self.queue.possibly_sent(self.max_in_flight, self.now))
        assert all(waiting in marked for waiting in self.in_flight)
        for waiting in marked if self.state.status in SENDING else ():
            self.queue.replace(replace(waiting, attempt_count=waiting.attempt_count + 1))
        self._forget()

    def _forget(self) -> None:
        """Lose what only the lane knows."""
        self.in_flight.clear()
        self.window = Window()
        self.is_probing = False
