"""What is live in a page: parts that are rendered again and sent when they have changed, as server-sent events."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

from litestar.response import ServerSentEvent, ServerSentEventMessage

from longwire.web.ui.api_client import Refused

EVERY_S = 1.0
KEEP_ALIVE = 15
"""Rounds without a change after which a comment is sent, so that nobody between closes the connection."""

Parts = Mapping[str, str]

_UNAVAILABLE = 503


def live(look: Callable[[], Awaitable[Parts | None]]) -> ServerSentEvent:
    """Return a page's stream; `look` gives its parts by name, or None when they may not be seen any more."""
    return ServerSentEvent(_changes(look))


async def _seen(look: Callable[[], Awaitable[Parts | None]], shown: Parts) -> Parts | None:
    """Return what there is to see; what is gone ends the stream, a store that is away does not.

    The answer has begun: an error could not be told any more.
    """
    try:
        return await look()
    except Refused as refused:
        return shown if refused.status == _UNAVAILABLE else None


async def _changes(look: Callable[[], Awaitable[Parts | None]]) -> AsyncIterator[ServerSentEventMessage]:
    shown: dict[str, str] = {}
    quiet = 0
    while (parts := await _seen(look, shown)) is not None:
        changed = {name: text for name, text in parts.items() if shown.get(name) != text}
        for name, text in changed.items():
            yield ServerSentEventMessage(event=name, data=text)
        shown.update(changed)
        quiet = 0 if changed else quiet + 1
        if quiet >= KEEP_ALIVE:
            quiet = 0
            yield ServerSentEventMessage(data=None, comment="still here")
        await asyncio.sleep(EVERY_S)
    yield ServerSentEventMessage(event="end", data="")
