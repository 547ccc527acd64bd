"""How much may be begun at once: little enough not to choke, and nobody waits behind those who only wait."""

import asyncio
import resource
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """How many work at once, and how many may go on without a slot once their work has lasted `patience_s`."""

    at_once: int
    waiting_at_once: int
    patience_s: float


class Slots:
    """Gives a slot to whoever has work to do (a dial, a lookup).

    Theory: what must be bounded is work (handshakes, threads), not waiting. So a slot is lent for a while that is long
    for healthy work; who is not done by then most likely just waits for somebody who does not answer, and goes on
    without it. Among those who wait for a slot the doubtful ones, which have just failed, come last: when a thousand
    destinations are dark and tried again all the time, the next slot still goes to a healthy one.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._busy = 0
        self._without = 0
        self._hopeful: deque[asyncio.Future[None]] = deque()
        self._doubtful: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def turn(self, deadline: float | None, *, is_doubtful: bool) -> AsyncIterator[None]:
        """Wait for a slot, at most until `deadline` (a time of the loop), and hold it for the block.

        Errors: TimeoutError while waiting.
        """
        await self._acquire(deadline, self._doubtful if is_doubtful else self._hopeful)
        loan = _Loan(self, self._limits.patience_s)
        try:
            yield
        finally:
            loan.end()

    def give_back(self) -> None:
        """Pass a slot on to the next who waits, or keep it for later."""
        for queue in (self._hopeful, self._doubtful):
            while queue:
                turn = queue.popleft()
                if not turn.done():
                    turn.set_result(None)
                    return
        self._busy -= 1

    def let_go_on_without(self) -> bool:
        """Count one who goes on without his slot; False when too many do."""
        if self._without >= self._limits.waiting_at_once:
            return False
        self._without += 1
        self.give_back()
        return True

    def end_without(self) -> None:
        """Count one no more who went on without his slot."""
        self._without -= 1

    async def _acquire(self, deadline: float | None, queue: deque[asyncio.Future[None]]) -> None:
        if self._busy < self._limits.at_once:
            self._busy += 1
            return
        turn = asyncio.get_running_loop().create_future()
        queue.append(turn)
        try:
            async with asyncio.timeout_at(deadline):
                await turn
        except BaseException:
            if turn.done() and not turn.cancelled():  # it came at the same moment
                self.give_back()
            elif turn in queue:
                queue.remove(turn)
            raise


class _Loan:
    """One slot, given back when its time is over or its work done, whichever comes first."""

    def __init__(self, slots: Slots, patience_s: float) -> None:
        self._slots = slots
        self._patience_s = patience_s
        self._is_without = False
        self._wait()

    def end(self) -> None:
        self._timer.cancel()
        if self._is_without:
            self._slots.end_without()
        else:
            self._slots.give_back()

    def _wait(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._patience_s, self._go_on)

    def _go_on(self) -> None:
        self._is_without = self._slots.let_go_on_without()
        if not self._is_without:
            self._wait()


def within_open_files(number: int) -> int:
    """Return at most a quarter of the files this process may open: the others belong to those who send to us."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return number if limit == resource.RLIM_INFINITY else max(1, min(number, limit // 4))
