"""`/oauth/token`: OAuth2 client credentials, a key for an access token (specification, section 2; RFC 6749)."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, unquote

from litestar import Request, Response, post
from litestar.handlers import HTTPRouteHandler

from longwire.core.access import Identity
from longwire.core.document import Member, Object
from longwire.core.errors import InvalidInput, Unauthorized, UnsupportedMediaType
from longwire.core.kinds import Choice, Integer, Text
from longwire.storage.accounts import Accounts
from longwire.web.answers import always
from longwire.web.identity import PUBLIC, Authentication
from longwire.web.operation import Body, Operation, described

_TOKEN_REQUEST = Object(
    name="TokenRequest",
    members={
        "grant_type": Member(kind=Choice(("client_credentials",)), description="The grant.", required=True),
        "client_id": Member(kind=Text(), description="The id of an API key, where HTTP Basic has none."),
        "client_secret": Member(kind=Text(), description="The key."),
    },
)
_TOKEN = Object(
    name="Token",
    members={
        "access_token": always(Text(), "To be sent as the key would be."),
        "token_type": always(Choice(("Bearer",)), "How it is sent."),
        "expires_in": always(Integer(0, 3600), "How many seconds it lives."),
    },
)
_MAKE_TOKEN = Operation(
    id="makeToken",
    summary="Get an access token for an API key",
    description="OAuth2 client credentials; by HTTP Basic or by form fields. `data.error` has RFC 6749's word.",
    body=Body(_TOKEN_REQUEST, "application/x-www-form-urlencoded"),
    answer=_TOKEN,
)
_FORM = "application/x-www-form-urlencoded"
_MAX_FIELDS = 20


class RefusedRequest(InvalidInput):
    """The request for a token is wrong in itself; `error` is RFC 6749's word for it (section 5.2)."""

    code = "api-4003"

    def __init__(self, error: str, field: str, problem: str) -> None:
        """Name the field as every other bad input does."""
        super().__init__(field, problem)
        self.error = error

    @property
    def details(self) -> Mapping[str, str]:
        """Return the field, and RFC 6749's word."""
        return {**super().details, "error": self.error}


class RefusedClient(Unauthorized):
    """The client is not who it says."""

    code = "api-4013"
    challenge = 'Basic realm="longwire"'

    @property
    def details(self) -> Mapping[str, str]:
        """Return RFC 6749's word."""
        return {"error": "invalid_client"}


@dataclass(frozen=True, slots=True)
class OAuthApi:
    """What the two routes work with."""

    accounts: Accounts
    authentication: Authentication

    def routes(self) -> list[HTTPRouteHandler]:
        """Return the route handlers."""
        # The alias is what the original's Swagger page calls.
        return [self._route("/oauth/token"), self._route("/oauth/tokenSwagger")]

    def _route(self, path: str) -> HTTPRouteHandler:
        operation = replace(_MAKE_TOKEN, id=f"makeTokenAt{path.rpartition('/')[2].capitalize()}")

        @post(path, name=path, status_code=200, opt=PUBLIC | described(operation))
        async def make_token(request: Request[Any, Any, Any]) -> Response[Any]:
            form = _form(request.headers.get("content-type", ""), await request.body())
            identity = self._identify(request, form)
            if "grant_type" not in form:
                raise RefusedRequest("invalid_request", "grant_type", "required: client_credentials")
            if form["grant_type"] != "client_credentials":
                raise RefusedRequest("unsupported_grant_type", "grant_type", "expected client_credentials")
            token, lifetime = self.accounts.issue_token(identity)
            answer = {
                "access_token": token,
                "token_type": "Bearer",
                "expires_in": int(lifetime.total_seconds()),
            }
            return Response(answer, headers={"Cache-Control": "no-store", "Pragma": "no-cache"})

        return make_token

    def _identify(self, request: Request[Any, Any, Any], form: Mapping[str, str]) -> Identity:
        """Return the client, by HTTP Basic or by form fields, not both; raises RefusedClient, RefusedRequest."""
        authorization = request.headers.get("authorization")
        if authorization is None:
            client_id, client_secret = form.get("client_id", ""), form.get("client_secret", "")
        elif "client_secret" in form:
            raise RefusedRequest(
                "invalid_request", "client_secret", "either HTTP Basic or form fields, not both"
            )
        else:
            client_id, client_secret = _basic(authorization)
        try:
            return self.authentication.identify_client(request.scope, client_id, client_secret)
        except Unauthorized as error:
            raise RefusedClient(
                "client_id must be the id of an API key that has not expired, client_secret the key itself"
            ) from error


def _form(content_type: str, body: bytes) -> Mapping[str, str]:
    if content_type.lower().partition(";")[0].strip() != _FORM:
        raise UnsupportedMediaType(f"expected Content-Type: {_FORM}, got {content_type[:100]!r}")
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS)
    except ValueError as error:
        raise RefusedRequest(
            "invalid_request", "body", f"not a form of at most {_MAX_FIELDS} fields"
        ) from error
    form = dict(pairs)
    if len(form) < len(pairs):
        raise RefusedRequest("invalid_request", "body", "a field stands twice")
    return form


def _basic(authorization: str) -> tuple[str, str]:
    """Return id and secret of an Authorization header; RFC 6749 has both percent-encoded, section 2.3.1."""
    scheme, _, encoded = authorization.partition(" ")
    try:
        if scheme.lower() != "basic":
            raise ValueError(scheme)  # noqa: TRY301 - one answer to whatever is not HTTP Basic
        client_id, _, client_secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (ValueError, binascii.Error) as error:
        raise RefusedClient("expected Authorization: Basic <base64 of client_id:client_secret>") from error
    return unquote(client_id), unquote(client_secret)
