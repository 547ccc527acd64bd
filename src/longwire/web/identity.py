"""Who asks, and whether they may: the one place where keys are checked and roles enforced."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.types import Scope

from longwire.core.access import Author, Identity, Right, right_of, weakest_role
from longwire.core.errors import Forbidden, KeyExpired, Unauthorized
from longwire.storage.accounts import Accounts
from longwire.web.limits import Limits

PUBLIC: dict[str, Any] = {"right": None}
"""The `opt` of a route that needs no key."""

_KEY_NEEDED = "a key is needed; send Authorization: Bearer <key>"


def needs(right: Right) -> dict[str, Any]:
    """Return the `opt` of a route that needs another right than its method says."""
    return {"right": right}


def right_needed(opt: Mapping[str, Any], method: str) -> Right | None:
    """Return the right a route needs; None for a public one."""
    right: Right | None = opt.get("right", right_of(method))
    return right


def require_right(connection: ASGIConnection[Any, Any, Any, Any], route: BaseRouteHandler) -> None:
    """Let a request pass to its route: the API's guard. Raises Forbidden with the role it needs, Unauthorized."""
    right = right_needed(route.opt, connection.scope["method"])  # type: ignore[typeddict-item]
    identity: Identity | None = connection.scope["state"]["identity"]
    if right is None:
        return
    if identity is None:  # another method of a path that is public
        raise Unauthorized(_KEY_NEEDED)
    check_right(identity, right)


def check_right(identity: Identity, right: Right) -> None:
    """Return when somebody has a right; raises Forbidden with the role it needs."""
    if not identity.may(right):
        role, needed = identity.role.value, weakest_role(right).value
        raise Forbidden(f"a key of role {role} may not {right.value}; the role {needed} may")


def author_of(request: Request[Any, Any, Any]) -> Author:
    """Return who asks for a change by a route that is not public."""
    author: Author = request.scope["state"]["author"]
    return author


@dataclass(frozen=True, slots=True)
class Authentication:
    """Tells who asks, within the limits for wrong keys and for requests."""

    accounts: Accounts
    limits: Limits
    now: Callable[[], datetime]

    def identify(self, scope: Scope) -> Identity:
        """Return who sent a request; raises Unauthorized, TooManyRequests."""
        return self.identify_key(scope, _bearer(dict(scope["headers"]).get(b"authorization", b"")))

    def identify_key(self, scope: Scope, key: str) -> Identity:
        """Return whose key a request brought; raises Unauthorized, TooManyRequests."""
        return self._within_limits(scope, lambda: self.accounts.identify(key))

    def identify_client(self, scope: Scope, client_id: str, client_secret: str) -> Identity:
        """Return whose key an OAuth2 client has; raises Unauthorized, TooManyRequests."""
        return self._within_limits(scope, lambda: self.accounts.identify_client(client_id, client_secret))

    def _within_limits(self, scope: Scope, identify: Callable[[], Identity]) -> Identity:
        client = scope["client"]
        address = client[0] if client else ""
        try:
            identity = identify()
        except KeyExpired:
            raise
        except Unauthorized:
            self.limits.count_failure(address, self.now())
            raise
        self.limits.count_request(identity, address, self.now())
        return identity


def _bearer(authorization: bytes) -> str:
    scheme, _, key = authorization.decode("latin-1").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise Unauthorized(_KEY_NEEDED)
    return key.strip()
