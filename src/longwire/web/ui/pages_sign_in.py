"""Signing in with a key or a one-time link, signing out, the theme."""

from dataclasses import dataclass
from urllib.parse import quote

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler

from longwire.core.access import Identity
from longwire.core.errors import TooManyRequests, Unauthorized
from longwire.web.identity import Authentication
from longwire.web.ui.page import PageRequest, frame_of, go_to, visit_of
from longwire.web.ui.render import page
from longwire.web.ui.sessions import Sessions
from longwire.web.ui.site import THEMES, own_path

_ENDED = "Your session has ended, and what you sent was not saved: sign in, and do it again."
_AS_IT_IS = "/?&=%+,:;@!$'()*~#"


@dataclass(frozen=True, slots=True)
class SignInPages:
    """What signing in works with."""

    authentication: Authentication
    sessions: Sessions

    def routes(self) -> list[HTTPRouteHandler]:
        """Return the handlers."""

        @get("/signIn")
        async def show_sign_in(request: PageRequest) -> Response[str] | Response[None]:
            return self._show(request)

        @post("/signIn", status_code=200)
        async def sign_in(request: PageRequest) -> Response[str] | Response[None]:
            return self._sign_in(request)

        @post("/signOut", status_code=200)
        async def sign_out(request: PageRequest) -> Response[None]:
            session = visit_of(request).session
            answer = go_to(request, "signIn")
            if session is not None:
                answer.headers["Set-Cookie"] = self.sessions.end(session)
            return answer

        @post("/theme", status_code=200)
        async def change_theme(request: PageRequest) -> Response[None]:
            return _change_theme(request)

        return [show_sign_in, sign_in, sign_out, change_theme]

    def _show(self, request: PageRequest) -> Response[str] | Response[None]:
        """Show the form, or take a one-time link for a key."""
        ticket = request.query_params.get("ticket")
        if ticket is None:
            query = request.query_params
            return _form(request, query.get("next", ""), _ENDED if "ended" in query else "")
        identity = self.sessions.use_ticket(ticket)
        if identity is None:
            return _form(request, "", "The link was used already, or is too old.", 401)
        return self._open(request, identity, "")

    def _sign_in(self, request: PageRequest) -> Response[str] | Response[None]:
        form = visit_of(request).form
        after = form.get("next", "")
        try:
            identity = self.authentication.identify_key(request.scope, form.get("key", "").strip())
        except Unauthorized:
            return _form(request, after, "This key is not valid: it is mistyped, expired or revoked.", 401)
        except TooManyRequests as error:
            return _form(request, after, str(error), 429)
        return self._open(request, identity, _safe(after))

    def _open(self, request: PageRequest, identity: Identity, path: str) -> Response[None]:
        answer = go_to(request, path)
        answer.headers["Set-Cookie"] = self.sessions.open(identity)
        return answer


def _change_theme(request: PageRequest) -> Response[None]:
    """Go on to the next theme, on the page the button stood on."""
    now = visit_of(request).form.get("after", THEMES[0])
    theme = THEMES[(THEMES.index(now) + 1) % len(THEMES)] if now in THEMES else THEMES[0]
    answer = go_to(request, _safe(own_path(dict(request.scope["headers"]))))
    path = f"{frame_of(request).prefix}/ui"
    answer.headers["Set-Cookie"] = (
        f"longwire_theme={theme}; Path={path}; SameSite=Strict; Max-Age=31536000; HttpOnly"
    )
    return answer


def _form(request: PageRequest, after: str, error: str, status: int = 200) -> Response[str]:
    return page(frame_of(request), "sign_in.html", status, next=after, error=error)


def _safe(path: str) -> str:
    """Return where to go on below `/ui/`: a path of ours, or the dashboard."""
    is_ours = path.startswith("/ui/") and "//" not in path and "\\" not in path
    return quote(path.removeprefix("/ui/"), safe=_AS_IT_IS) if is_ours else ""
