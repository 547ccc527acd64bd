"""What is live in a page: parts that are rendered again and sent when they have changed, as server-sent events.

The theory. All that a page shows is stored, and whatever is written is counted (`Database.commits`): while that number
stays, only time passes, which the browser shows by itself. So an idle page asks for nothing but every `IDLE_S` seconds,
when what left the last hour is no longer counted; and on a busy server at most every `EVERY_S` seconds, and never for
more than a small share of the time, however long it takes to look.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace

from litestar.response import ServerSentEvent, ServerSentEventMessage

from longwire.clock import stopwatch
from longwire.web.ui.api_client import Refused
from longwire.web.ui.page import Caller, PageRequest, frame_of
from longwire.web.ui.render import Frame

EVERY_S = 1.0
IDLE_S = 15.0
"""Also how often something is sent, so that nobody between closes the connection."""
REST = 10
"""How many times as long as it took to look nobody looks again."""

Parts = Mapping[str, str]

_UNAVAILABLE = 503


def live(
    caller: Caller, request: PageRequest, render: Callable[[Frame], Awaitable[Parts]]
) -> ServerSentEvent:
    """Return a page's stream, which ends with the session; `render` gives the page's parts by name, as they are now."""

    async def look() -> Parts | None:
        if not caller.is_signed_in(request):
            return None
        return await render(replace(frame_of(request), now=caller.sessions.now()))

    return ServerSentEvent(_changes(look, caller.commits))


async def _changes(
    look: Callable[[], Awaitable[Parts | None]], commits: Callable[[], int]
) -> AsyncIterator[ServerSentEventMessage]:
    shown: dict[str, str] = {}
    seen, took = commits(), stopwatch()
    while (parts := await _seen(look, shown)) is not None:
        rest_s = REST * took()
        changed = {name: text for name, text in parts.items() if shown.get(name) != text}
        for name, text in changed.items():
            yield ServerSentEventMessage(event=name, data=text)
        if not changed:
            yield ServerSentEventMessage(data=None, comment="still here")
        shown.update(changed)
        await asyncio.sleep(max(EVERY_S, rest_s))
        await _idle(lambda seen=seen: commits() == seen)  # type: ignore[misc]
        seen, took = commits(), stopwatch()
    yield ServerSentEventMessage(event="end", data="")


async def _seen(look: Callable[[], Awaitable[Parts | None]], shown: Parts) -> Parts | None:
    """Return what there is to see; what is gone ends the stream, a store that is away does not.

    The answer has begun: an error could not be told any more.
    """
    try:
        return await look()
    except Refused as refused:
        return shown if refused.status == _UNAVAILABLE else None


async def _idle(nothing_is_new: Callable[[], bool]) -> None:
    """Return when there is something new, or after a while all the same."""
    for _ in range(round(IDLE_S / EVERY_S)):
        if not nothing_is_new():
            break
        await asyncio.sleep(EVERY_S)
