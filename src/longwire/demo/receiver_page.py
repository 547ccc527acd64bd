"""What the receiver shows of the requests it keeps: a page for people, JSON for scripts; pure text."""

from collections.abc import Sequence
from html import escape

import msgspec

from longwire.demo.behaviour import Behaviour, Mode
from longwire.demo.received import Received

MAX_SHOWN = 50
MAX_SHOWN_BODY_BYTES = 4096

_STYLE = """:root{color-scheme:light dark;--bg:light-dark(#f4f6f7,#0e1317);--surface:light-dark(#fff,#161c22);
--sunken:light-dark(#eef1f3,#0f151a);--line:light-dark(#dce1e6,#29343d);--edge:light-dark(#808b96,#6b7986);
--text:light-dark(#151c22,#e3e9ee);--muted:light-dark(#54606b,#9caab6);--accent:light-dark(#1f55c0,#8bb5ff);
--on-accent:light-dark(#fff,#0a1426)}
*{box-sizing:border-box}body{font:14px/1.5 system-ui,sans-serif;max-width:70rem;margin:0 auto;padding:1.25rem 1rem;
background:var(--bg);color:var(--text);overflow-wrap:anywhere}h1{font-size:1.375rem;margin:0}
p,time{color:var(--muted)}
form{display:flex;flex-wrap:wrap;gap:.5rem;margin:1rem 0}
button{height:2.125rem;padding:0 .875rem;border:1px solid var(--edge);
border-radius:6px;background:var(--surface);color:inherit;font:600 .75rem system-ui,sans-serif;text-transform:uppercase}
button[aria-pressed=true]{background:var(--accent);border-color:var(--accent);color:var(--on-accent)}
article{background:var(--surface);border:1px solid var(--line);border-radius:10px;margin:1rem 0;padding:.75rem 1rem}
h2{font-size:1rem;margin:0}time{font-weight:400;font-size:.8125rem}
pre{margin:.5rem 0 0;padding:.75rem 1rem;border-radius:6px;
background:var(--sunken);font-size:.75rem;white-space:pre-wrap;overflow-wrap:anywhere}"""
_WORDS = {
    Mode.OK: "Answer 200",
    Mode.FAIL: "Fail",
    Mode.HANG: "Hang",
    Mode.FLAP: "Flap",
    Mode.SLOW: "Slow",
    Mode.CLOSE: "Close",
}


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
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="refresh" content="5; url=/"><style>{_STYLE}</style></head><body>'
        f"<h1>Longwire receiver</h1><p>{len(requests)} requests kept, the newest first. All of them as JSON: "
        "<code>GET /_requests?after=0</code>. What the next ones get, also by <code>POST /_mode</code>: "
        f"<code>{escape(msgspec.json.encode(behaviour).decode())}</code></p>{_render_switches(behaviour)}"
        f"{shown or '<p>Nothing received yet: send any request to any other path.</p>'}</body></html>"
    )
    return page.encode()


def _render_article(received: Received) -> str:
    headers = "\n".join(f"{name}: {value}" for name, value in received.headers)
    body = _pretty(received.body) or received.body[:MAX_SHOWN_BODY_BYTES].decode("utf-8", "replace")
    hidden = len(received.body) - MAX_SHOWN_BODY_BYTES
    rest = f"\n... and {hidden} bytes more" if hidden > 0 else ""
    return (
        f"<article><h2>{escape(received.method)} {escape(received.path)} "
        f"<time>#{received.id}, {received.received_at:%Y-%m-%d %H:%M:%S %Z}</time></h2>"
        f"<pre>{escape(headers)}</pre><pre>{escape(body + rest)}</pre></article>"
    )


def _render_switches(behaviour: Behaviour) -> str:
    buttons = "".join(
        f'<button name="mode" value="{mode.value}" aria-pressed="{str(mode is behaviour.mode).lower()}">{word}</button>'
        for mode, word in _WORDS.items()
    )
    return f'<form method="post" action="/_mode" aria-label="What the next requests get">{buttons}</form>'


def _pretty(body: bytes) -> str:
    """Return JSON on several lines, its numbers and names as they came; nothing for what is too long, or no JSON."""
    if len(body) > MAX_SHOWN_BODY_BYTES:
        return ""
    try:
        return msgspec.json.format(body, indent=2).decode() if body else ""
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
