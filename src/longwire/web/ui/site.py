"""The front of the pages: static files, who is signed in, CSRF, and the headers that keep a browser from harm."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, quote

from litestar import Litestar
from litestar.types import Receive, Send

from longwire.core.errors import Forbidden, LongwireError, NotFound, UnsupportedMediaType
from longwire.web.body import read_body
from longwire.web.errors import status_of
from longwire.web.ui.problem import problem_text
from longwire.web.ui.render import Frame
from longwire.web.ui.sessions import Session, Sessions
from longwire.web.ui.static_files import StaticFile, load_static_files

BASE = "/ui"
SIGN_IN = f"{BASE}/signIn"
THEMES = ("system", "light", "dark")

_FORM = "application/x-www-form-urlencoded"
_MAX_FIELDS = 1000
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)
_NEVER_KEPT = (b"cache-control", b"no-store")
_ENDED = b"event: end\ndata: \n\n"
"""What a page that is still open gets in the place of its stream."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of a page, as its handlers see it in `scope["state"]["visit"]`: who, and the form that was sent."""

    frame: Frame
    session: Session | None
    form: Mapping[str, str]
    fields: tuple[tuple[str, str], ...] = ()


class Site:
    """Answers everything below `/ui/`; `prefix` is what a reverse proxy puts before it."""

    def __init__(self, pages: Litestar, sessions: Sessions, prefix: str, now: Callable[[], datetime]) -> None:
        """Read the static files: they never change while we run."""
        self._pages = pages
        self._sessions = sessions
        self.prefix = prefix
        self._now = now
        self._files = load_static_files()

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Answer one request; raises LongwireError for what is no page's business to show."""
        path: str = scope["path"]
        if path.startswith(f"{BASE}/static/"):
            await self._send_file(path.removeprefix(f"{BASE}/static/"), scope, send)
            return
        headers = dict(scope["headers"])
        session = self._sessions.find(headers.get(b"cookie", b"").decode("latin-1"))
        if session is None and path != SIGN_IN:
            await self._send_to_sign_in(scope, headers, send)
            return
        frame = self._frame(headers, session)
        try:
            visit = await _enter(scope, headers, receive, frame, session)
        except LongwireError as error:
            text = problem_text(frame, status_of(error), str(error)).encode()
            html = (b"content-type", b"text/html; charset=utf-8")
            await _answer(_guarded(send, None), status_of(error), text, html)
            return
        scope["state"]["visit"] = visit
        renewal = self._sessions.renew(session) if session is not None and path != SIGN_IN else None
        await self._pages(scope, _no_body(receive), _guarded(send, renewal))

    async def _send_to_sign_in(self, scope: Any, headers: Mapping[bytes, bytes], send: Send) -> None:
        """Lead whoever is not signed in to where he can be, and back to the page he comes from."""
        if headers.get(b"accept") == b"text/event-stream":
            await _answer(send, 200, _ENDED, (b"content-type", b"text/event-stream"))
        elif headers.get(b"hx-request"):
            await _answer(send, 401)
        else:
            where = quote(_return_path(scope, headers), safe="")
            target = f"{self.prefix}{SIGN_IN}?next={where}{'&ended' if scope['method'] != 'GET' else ''}"
            await _answer(send, 303, b"", (b"location", target.encode()))

    async def _send_file(self, name: str, scope: Any, send: Any) -> None:
        file = self._files.get(name)
        if file is None or scope["method"] not in {"GET", "HEAD"}:
            raise NotFound("there is no such file")
        if dict(scope["headers"]).get(b"if-none-match") == file.tag:
            await send({"type": "http.response.start", "status": 304, "headers": [(b"etag", file.tag)]})
            await send({"type": "http.response.body", "body": b""})
            return
        await send({"type": "http.response.start", "status": 200, "headers": _file_headers(file)})
        await send({"type": "http.response.body", "body": file.content})

    def _frame(self, headers: Mapping[bytes, bytes], session: Session | None) -> Frame:
        theme = _theme(headers.get(b"cookie", b"").decode("latin-1"))
        person = session.identity.name if session else ""
        role = session.identity.role.value if session else ""
        return Frame(self.prefix, person, role, session.csrf if session else "", theme, self._now())


async def _enter(
    scope: Any, headers: Mapping[bytes, bytes], receive: Receive, frame: Frame, session: Session | None
) -> Visit:
    """Return the visit, its form read; raises Forbidden for one of another site, TooLarge, UnsupportedMediaType."""
    fields = await _read_form(scope["method"], headers, receive)
    form = dict(fields)
    if scope["method"] not in {"GET", "HEAD"}:
        if _is_from_elsewhere(headers):
            raise Forbidden("csrf: the form is from another site; open the page of Longwire and try again")
        if session is not None and not session.is_from_our_page(form.get("csrf", "")):
            raise Forbidden(
                "csrf: the form is not from a page of this session; reload the page and try again"
            )
    return Visit(frame, session, form, fields)


def _file_headers(file: StaticFile) -> list[tuple[bytes, bytes]]:
    return [
        *_HEADERS,
        (b"content-type", file.media_type.encode()),
        (b"content-length", b"%d" % len(file.content)),
        (b"etag", file.tag),
        (b"cache-control", b"max-age=300"),
    ]


def _is_from_elsewhere(headers: Mapping[bytes, bytes]) -> bool:
    """Return whether a browser says that another site sent a form, which may be the one for signing in.

    By `Sec-Fetch-Site` where it tells; browsers do so by https and on this machine.
    """
    site = headers.get(b"sec-fetch-site")
    if site is not None:
        return site not in {b"same-origin", b"none"}
    origin = headers.get(b"origin")
    return origin is not None and origin.partition(b"://")[2] != headers.get(b"host", b"")


async def _read_form(
    method: str, headers: Mapping[bytes, bytes], receive: Receive
) -> tuple[tuple[str, str], ...]:
    """Return the fields of a form, in order; raises TooLarge, UnsupportedMediaType."""
    if method in {"GET", "HEAD"}:
        return ()
    body = await read_body(headers, receive)
    media_type = headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()
    if body and media_type != _FORM:
        raise UnsupportedMediaType(f"expected {_FORM}")
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError as error:
        raise UnsupportedMediaType("the form is not UTF-8, or has too many fields") from error
    return tuple(pairs)


def _theme(cookies: str) -> str:
    """Return the theme that a person chose; not a secret, and of no use to others."""
    for part in cookies.split(";"):
        name, _, value = part.strip().partition("=")
        if name == "longwire_theme" and value in THEMES:
            return value
    return THEMES[0]


def own_path(headers: Mapping[bytes, bytes]) -> str:
    """Return the page of ours that a form was sent from, as the browser tells; nothing where it does not."""
    _, found, path = headers.get(b"referer", b"").decode("latin-1").partition(f"{BASE}/")
    return f"{BASE}/{path}" if found else ""


def _return_path(scope: Any, headers: Mapping[bytes, bytes]) -> str:
    """Return where to go on after signing in: only a page that can simply be looked at."""
    if scope["method"] != "GET":
        return own_path(headers) or f"{BASE}/"
    query = scope["query_string"].decode("latin-1")
    return f"{scope['path']}?{query}" if query else str(scope["path"])


async def _answer(send: Any, status: int, body: bytes = b"", *headers: tuple[bytes, bytes]) -> None:
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length, _NEVER_KEPT]})
    await send({"type": "http.response.body", "body": body})


def _guarded(send: Send, renewal: str | None) -> Send:
    """Return a `send` that adds the headers of every page, and the cookie that lets the session live on."""

    async def send_guarded(event: Any) -> None:
        if event["type"] == "http.response.start":
            names = {name.lower() for name, _ in event["headers"]}
            added = [*_HEADERS, *([] if b"cache-control" in names else [_NEVER_KEPT])]
            if renewal is not None and b"set-cookie" not in names:
                added.append((b"set-cookie", renewal.encode()))
            event["headers"] = [*event["headers"], *added]
        await send(event)

    return send_guarded


def _no_body(receive: Receive) -> Receive:
    """Return a `receive` for a request whose body has been read: the form is in the visit."""
    pending = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive_rest() -> Any:
        return pending.pop() if pending else await receive()

    return receive_rest
