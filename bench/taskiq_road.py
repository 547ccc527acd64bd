"""The usual road: an aiohttp door puts tasks on taskiq's Redis stream, a worker posts them with aiohttp.

Runs in a venv of its own (requirements-bench.lock): `python -m bench.taskiq_road PORT` is the door.
"""

import os
import sys
from typing import Any

import aiohttp
import taskiq
import taskiq_redis
from aiohttp import web

HEADERS = {"Content-Type": "application/json"}
broker = taskiq_redis.RedisStreamBroker(os.environ["TASKIQ_REDIS"])


async def open_session(state: Any) -> None:
    state.session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64))


async def close_session(state: Any) -> None:
    await state.session.close()


async def post(body: str, context: Any = taskiq.TaskiqDepends(taskiq.Context)) -> None:  # noqa: B008 (taskiq's way)
    """Deliver one uplink; it leaves the stream when this has ended."""
    session = context.state.session
    async with session.post(os.environ["TASKIQ_SINK"], data=body, headers=HEADERS) as response:
        await response.read()


broker.add_event_handler(taskiq.TaskiqEvents.WORKER_STARTUP, open_session)
broker.add_event_handler(taskiq.TaskiqEvents.WORKER_SHUTDOWN, close_session)
deliver = broker.register_task(post, "deliver")


async def accept(request: Any) -> Any:
    """Answer when Redis has the uplink."""
    await deliver.kiq((await request.read()).decode())
    return web.Response()


async def start(_door: Any) -> None:
    await broker.startup()


if __name__ == "__main__":
    door = web.Application()
    door.router.add_post("/", accept)
    door.on_startup.append(start)
    web.run_app(door, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)
