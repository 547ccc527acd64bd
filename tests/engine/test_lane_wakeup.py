"""A resend that falls due while the lane looks at the clock twice must not be forgotten."""

from datetime import datetime, timedelta

import pytest
from tests.engine.scripted_server import ScriptedServer
from tests.engine.stage import S, Stage

TICK = timedelta(milliseconds=1)


@pytest.mark.parametrize("early", range(1, 9))
async def test_a_resend_that_falls_due_between_two_looks_at_the_clock_is_sent(
    stage: Stage, server: ScriptedServer, early: int
) -> None:
    server.script = lambda _: 503 if len(server.requests) == 1 else 200
    connection = await stage.connect(server.url, strictMode=True)
    await stage.put(connection, "A1")
    await stage.run_lane(connection)
    await stage.settle()
    await stage.pass_time(2 * S - early * TICK)

    def now() -> datetime:
        stage.clock._now += TICK  # as on a real machine, time passes while the lane works
        return stage.clock._now

    stage.clock.now = now  # type: ignore[method-assign]
    stage.lanes[connection]._changed.set()  # a timer of uvloop may ring a millisecond early
    await stage.settle()
    del stage.clock.now
    await stage.pass_time(60 * S)

    assert await stage.outcomes() == {"A1": "DELIVERED"}
