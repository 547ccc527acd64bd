"""Fairness among lanes: those that work off a backlog take turns, so that the others find the event loop free."""

import asyncio

STEP = 8
REST_S = 0.001
STEP_BESIDE_OTHERS = 4
REST_BESIDE_OTHERS_S = 0.02
LONGEST_REST_S = 0.04
REMEMBERED_S = 0.1


class Turns:
    """Lets one lane after the other send a few messages of its backlog.

    Theory: what a message costs the loop is a fraction of a millisecond, but a lane that catches up has as many at hand
    as it may have in flight, and again as many with each commit. Sent all at once they are a lump that everything else
    waits behind, and while the loop never rests the writer waits for the interpreter at each of its statements. So a
    turn is a few messages, and the loop rests before each turn: the longer, the later it was, for a loop that is late
    has others waiting. A lane that keeps up with its queue needs no turn; while there are such lanes, those that take
    turns leave them most of the loop and of the disk, and have all of it when they are alone.

    A lane whose backlog grows while it is worked off adds to its turn what has come (`engine/backlog`): that costs no
    more than if it kept up, and it does get to the end.
    """

    def __init__(self) -> None:
        """Begin with nobody waiting."""
        self._next = asyncio.Lock()
        self._late_s = 0.0
        self._beside_others_until = 0.0

    def notice(self) -> None:
        """Learn that a lane that keeps up has sent something."""
        self._beside_others_until = asyncio.get_running_loop().time() + REMEMBERED_S

    @property
    def step(self) -> int:
        """Return how many messages a turn is."""
        return STEP_BESIDE_OTHERS if self._are_others_sending else STEP

    async def wait(self) -> None:
        """Return when it is the caller's turn; first come, first served."""
        loop = asyncio.get_running_loop()
        async with self._next:
            rest_s = REST_BESIDE_OTHERS_S if self._are_others_sending else REST_S
            rest_s = min(rest_s + self._late_s, LONGEST_REST_S)
            due = loop.time() + rest_s
            await asyncio.sleep(rest_s)
            self._late_s = max(loop.time() - due, 0.0)

    @property
    def _are_others_sending(self) -> bool:
        return asyncio.get_running_loop().time() < self._beside_others_until
