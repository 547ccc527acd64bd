"""Who is signed in: a cookie that carries a token, and nothing on the server but who has signed out.

The cookie is HttpOnly and SameSite=Strict; its random half makes the CSRF token of every form, which other sites can
neither read nor guess. The token is sealed for that half: nobody can change it to stay signed in, and the token is of
no use at the API. The cookie is renewed while it is used and ends an hour after, or at once with its key.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from longwire.core.access import Identity
from longwire.core.errors import Unauthorized
from longwire.storage.accounts import TOKEN_LIFETIME, Accounts

COOKIE = "longwire_session"
TICKET_LIFETIME = timedelta(hours=1)
RENEW_AFTER = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Session:
    """A person who is signed in; `mark` is the cookie's random half."""

    identity: Identity
    mark: str

    @property
    def csrf(self) -> str:
        """Return what each form of this session carries."""
        return hashlib.sha256(f"csrf {self.mark}".encode()).hexdigest()

    def is_from_our_page(self, given: str) -> bool:
        """Return whether a form came from a page of this session; in constant time."""
        return hmac.compare_digest(given.encode(), self.csrf.encode())


class Sessions:
    """Opens, renews and ends sessions; reached by https (`base_url`), the cookie goes over https only."""

    def __init__(self, accounts: Accounts, now: Callable[[], datetime], base_url: str) -> None:
        """Know nobody yet."""
        address = urlsplit(base_url)
        is_secure = address.scheme == "https"
        self._accounts = accounts
        self.now = now
        self._attributes = f"Path={address.path}/ui; HttpOnly; SameSite=Strict" + (
            "; Secure" if is_secure else ""
        )
        self._ended: dict[str, datetime] = {}
        self._renewed: dict[str, datetime] = {}
        self._tickets: dict[str, tuple[Identity, datetime]] = {}

    def open(self, identity: Identity) -> str:
        """Return the `Set-Cookie` of a new session."""
        return self._cookie(secrets.token_urlsafe(24), identity)

    def find(self, header: str) -> Session | None:
        """Return the session of a `Cookie` header, or None."""
        mark, token = self._opened(header)
        if not token:
            return None
        try:
            return Session(self._accounts.identify_session(token, mark), mark)
        except Unauthorized:
            return None

    def is_open(self, header: str) -> bool:
        """Return whether the session of a `Cookie` header goes on; to look is no use of its key."""
        mark, token = self._opened(header)
        return bool(token) and self._accounts.is_session(token, mark)

    def renew(self, session: Session) -> str | None:
        """Return the `Set-Cookie` that lets a session live on, when it is time for one."""
        now = self.now()
        if now - self._renewed.get(session.mark, now - RENEW_AFTER) < RENEW_AFTER:
            return None
        return self._cookie(session.mark, session.identity)

    def end(self, session: Session) -> str:
        """Return the `Set-Cookie` that forgets a session, which is not known any more."""
        now = self.now()
        self._ended = _recent(self._ended, now) | {session.mark: now}
        self._renewed.pop(session.mark, None)
        return f"{COOKIE}=; Max-Age=0; {self._attributes}"

    def make_ticket(self, identity: Identity) -> str:
        """Return what signs in once, without the key: for the link that the demo prints."""
        ticket = secrets.token_urlsafe(24)
        self._tickets[ticket] = identity, self.now() + TICKET_LIFETIME
        return ticket

    def use_ticket(self, ticket: str) -> Identity | None:
        """Return whose ticket it is, the first time and within an hour."""
        identity, until = self._tickets.pop(ticket, (None, self.now()))
        return identity if until > self.now() else None

    def _opened(self, header: str) -> tuple[str, str]:
        """Return the halves of a `Cookie` header's session; empty ones for none, and for one that was signed out."""
        mark, _, token = _cookie_value(header).partition(".")
        return (mark, token) if mark and mark not in self._ended else ("", "")

    def _cookie(self, mark: str, identity: Identity) -> str:
        token, lifetime = self._accounts.issue_session(identity, mark)
        now = self.now()
        self._renewed = _recent(self._renewed, now) | {mark: now}
        return f"{COOKIE}={mark}.{token}; Max-Age={int(lifetime.total_seconds())}; {self._attributes}"


def _recent(marks: Mapping[str, datetime], now: datetime) -> dict[str, datetime]:
    """Return the marks whose cookies may still be valid: the others need not be remembered."""
    return {mark: at for mark, at in marks.items() if now - at < 2 * TOKEN_LIFETIME}


def _cookie_value(header: str) -> str:
    """Return our cookie, whatever stands beside it: http.cookies stops at what others on this host may have set."""
    for part in header.split(";"):
        name, _, value = part.strip().partition("=")
        if name == COOKIE:
            return value
    return ""
