"""Fairness among lanes: those that work off a backlog take turns, so that the others find the event loop free."""

import asyncio

STEP = 8
REST_S = 0.001
LONGEST_REST_S = 0.02


class Turns:
    """Lets one lane after the other send a few messages of its backlog.

    Theory: what a message costs the loop is a fraction of a millisecond, but a lane that catches up has as many at hand
    as it may have in flight, and again as many with each commit. Sent all at once they are a lump that everything else
    waits behind, and while the loop never rests the writer waits for the interpreter at each of its statements. So a
    turn is `STEP` messages, and the loop rests before each turn: the longer, the later it was, for a loop that is late
    has others waiting. A lane that keeps up with its queue needs no turn.
    """

    def __init__(self) -> None:
        """Begin with nobody waiting."""
        self._next = asyncio.Lock()
        self._rest_s = REST_S

    async def wait(self) -> None:
        """Return when it is the caller's turn; first come, first served."""
        loop = asyncio.get_running_loop()
        async with self._next:
            due = loop.time() + self._rest_s
            await asyncio.sleep(self._rest_s)
            self._rest_s = min(REST_S + loop.time() - due, LONGEST_REST_S)
