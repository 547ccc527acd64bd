"""What the receiver shows of the requests it keeps: a page for people, JSON for scripts; pure text."""

from collections.abc import Sequence
from html import escape

import msgspec

from longwire.demo.behaviour import Behaviour
from longwire.demo.received import Received

MAX_SHOWN = 50
MAX_SHOWN_BODY_BYTES = 4096

_STYLE = """body{font:15px/1.45 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}
article{border:1px solid #8886;border-radius:.5rem;margin:1rem 0;padding:.6rem 1rem}
h2{font-size:1rem;margin:.2rem 0;overflow-wrap:anywhere}pre{white-space:pre-wrap;overflow-wrap:anywhere}
time{color:#777;font-weight:normal}"""


class RequestView(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A Received as JSON; a body that is not UTF-8 goes as `bodyBase64`."""

    id: int
    received_at: str
    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: str | None = None
    body_base64: bytes | None = msgspec.field(default=None, name="bodyBase64")


def render_requests(requests: Sequence[Received]) -> bytes:
    """Return a JSON array of requests in the order given."""
    return msgspec.json.encode([_view(received) for received in requests])


def _view(received: Received) -> RequestView:
    try:
        text, raw = received.body.decode(), None
    except UnicodeDecodeError:
        text, raw = None, received.body
    return RequestView(
        id=received.id,
        received_at=received.received_at.isoformat(timespec="milliseconds"),
        method=received.method,
        path=received.path,
        headers=received.headers,
        body=text,
        body_base64=raw,
    )


def render_page(requests: Sequence[Received], behaviour: Behaviour) -> bytes:
    """Return the page of the latest requests, newest first; everything that was received is escaped."""
    shown = "".join(_render_article(received) for received in reversed(requests[-MAX_SHOWN:]))
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Longwire receiver</title>'
        f'<meta http-equiv="refresh" content="5"><style>{_STYLE}</style></head><body>'
        f"<h1>Longwire receiver</h1><p>{len(requests)} requests kept. Behaviour: "
        f"<code>{escape(msgspec.json.encode(behaviour).decode())}</code>, changed by "
        "<code>POST /_mode</code>. All of them as JSON: <code>GET /_requests?after=0</code>.</p>"
        f"{shown or '<p>Nothing received yet: send any request to any other path.</p>'}</body></html>"
    )
    return page.encode()


def _render_article(received: Received) -> str:
    headers = "\n".join(f"{name}: {value}" for name, value in received.headers)
    body = received.body[:MAX_SHOWN_BODY_BYTES].decode("utf-8", "replace")
    hidden = len(received.body) - MAX_SHOWN_BODY_BYTES
    rest = f"\n... and {hidden} bytes more" if hidden > 0 else ""
    return (
        f"<article><h2>{escape(received.method)} {escape(received.path)} "
        f"<time>#{received.id}, {received.received_at:%Y-%m-%d %H:%M:%S %Z}</time></h2>"
        f"<pre>{escape(headers)}</pre><pre>{escape(body + rest)}</pre></article>"
    )
