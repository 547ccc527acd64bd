"""How many sockets may be opened at once: few enough not to choke, and nobody waits behind those who wait."""

import asyncio
import resource
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from longwire.net.pool import Shelf

# What a burst may cost: handshakes take processor time, and all of them would be late together.
_AT_ONCE = 256
# A dial that has got nowhere by then only waits, which costs a file descriptor: it gives its slot back ...
PATIENCE_S = 1.0
# ... as long as not too many file descriptors wait like that.
_WAITING_AT_ONCE = 1024
# One destination's share, and so the most it can hold of the rest.
DIALS_PER_ENDPOINT = 32


class DialSlots:
    """Gives a slot to each dial.

    Theory: what must be bounded is work (handshakes), not waiting. So a slot is lent for a second, which is long for
    a healthy dial. Among those who wait for one, destinations that have just failed come last: when a thousand
    of them are dark and try again all the time, the next free slot still goes to a healthy one.
    """

    def __init__(self) -> None:
        self._at_once = _within_open_files(_AT_ONCE)
        self._waiting_at_once = _within_open_files(_WAITING_AT_ONCE)
        self._busy = 0
        self._lent_out = 0
        self._hopeful: deque[asyncio.Future[None]] = deque()
        self._doubtful: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def turn(self, shelf: "Shelf", deadline: float) -> AsyncIterator[None]:
        """Wait for a slot, at most until `deadline` (a time of the loop), and hold it for the block.

        Errors: TimeoutError while waiting.
        """
        async with asyncio.timeout_at(deadline):
            await shelf.own_dials.acquire()
        try:
            await self._acquire(deadline, self._doubtful if shelf.is_doubtful else self._hopeful)
            loan = _Loan(self)
            try:
                yield
            finally:
                loan.end()
        finally:
            shelf.own_dials.release()

    async def _acquire(self, deadline: float, queue: deque[asyncio.Future[None]]) -> None:
        if self._busy < self._at_once:
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

    def give_back(self) -> None:
        """Pass a slot on to the next who waits, or keep it for later."""
        for queue in (self._hopeful, self._doubtful):
            while queue:
                turn = queue.popleft()
                if not turn.done():
                    turn.set_result(None)
                    return
        self._busy -= 1

    def lend_out(self) -> bool:
        """Count a dial that goes on without its slot; False when too many do."""
        if self._lent_out >= self._waiting_at_once:
            return False
        self._lent_out += 1
        self.give_back()
        return True

    def is_over(self) -> None:
        """Count a dial no more that went on without its slot."""
        self._lent_out -= 1


class _Loan:
    """One dial's slot: given back after a second, or when the dial ends, whichever comes first."""

    def __init__(self, slots: DialSlots) -> None:
        self._slots = slots
        self._is_without = False
        self._timer = asyncio.get_running_loop().call_later(PATIENCE_S, self._go_on_without)

    def _go_on_without(self) -> None:
        self._is_without = self._slots.lend_out()
        if not self._is_without:
            self._timer = asyncio.get_running_loop().call_later(PATIENCE_S, self._go_on_without)

    def end(self) -> None:
        self._timer.cancel()
        if self._is_without:
            self._slots.is_over()
        else:
            self._slots.give_back()


def _within_open_files(number: int) -> int:
    """Return at most a quarter of the files this process may open: the others belong to those who send to us."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return number if limit == resource.RLIM_INFINITY else max(1, min(number, limit // 4))
