"""`/apiKeys`: list, create, revoke (specification, section 18)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from litestar import Request, Response, delete, get, post
from litestar.handlers import HTTPRouteHandler

from longwire.core.access import Right, Role
from longwire.core.document import Member, Object, read_body
from longwire.core.kinds import TIME, Choice, Moment, Nullable, Text
from longwire.storage.accounts import Accounts, ApiKey, NewKey
from longwire.web.answers import always
from longwire.web.api import created, document_of
from longwire.web.identity import author_of, needs
from longwire.web.operation import creating, deleting, described, listing
from longwire.web.paging import PAGING, page_of, page_response, parse_page
from longwire.web.shapes import iso

API_KEY = Object(
    name="ApiKey",
    members={
        "id": Member(kind=Text(), description="The id; OAuth2's `client_id`.", read_only=True, required=True),
        "name": Member(
            kind=Text(shortest=1, longest=255), description="The name, for people.", required=True
        ),
        "role": Member(
            kind=Choice(tuple(role.value for role in Role)), description="What it may do.", required=True
        ),
        "expiresAt": Member(kind=Nullable(Moment()), description="When it ends; null or absent: never."),
        "createdAt": Member(kind=TIME, description="When it was made.", read_only=True, required=True),
        "lastUsedAt": Member(kind=Nullable(TIME), description="When it was used last.", read_only=True),
    },
)
NEW_KEY = Object(
    name="NewApiKey",
    members={
        **API_KEY.members,
        "key": always(Text(), "The key; OAuth2's `client_secret`. It is never shown again."),
    },
)
_OWN = needs(Right.OWN)
_LIST = listing(API_KEY, PAGING)
_CREATE = replace(
    creating(API_KEY), answer=NEW_KEY, answer_headers={"Location": "The path of the key."}, errors=()
)
_DELETE = replace(
    deleting(API_KEY),
    description="It is dead at once, with its access tokens. The last owner key cannot be deleted.",
    has_if_match=False,
    errors=(409,),
)


@dataclass(frozen=True, slots=True)
class KeysApi:
    """What the routes of `/apiKeys` work with."""

    accounts: Accounts
    now: Callable[[], datetime]

    def routes(self) -> list[HTTPRouteHandler]:
        """Return the route handlers."""

        @get("/apiKeys", opt=_OWN | described(_LIST))
        async def list_keys(request: Request[Any, Any, Any]) -> Response[Any]:
            page, keys = parse_page(request.query_params), self.accounts.list()
            shapes = [self._shape(each) for each in page_of(keys, page)]
            return page_response(request, page, len(keys), shapes)

        @post("/apiKeys", opt=_OWN | described(_CREATE))
        async def create_key(request: Request[Any, Any, Any]) -> Response[Any]:
            new = parse_key(await document_of(request), self.now())
            key, text = await self.accounts.create(new, author_of(request))
            shape = {**self._shape(key), "key": text}
            return created(request, key.identity.key_id, shape, {"Cache-Control": "no-store"})

        @delete("/apiKeys/{key_id:str}", opt=_OWN | described(_DELETE))
        async def delete_key(request: Request[Any, Any, Any], key_id: str) -> None:
            await self.accounts.delete(key_id, author_of(request))

        return [list_keys, create_key, delete_key]

    def _shape(self, key: ApiKey) -> dict[str, Any]:
        return {
            "id": key.identity.key_id,
            "name": key.identity.name,
            "role": key.identity.role.value,
            "createdAt": iso(key.created_at),
            "expiresAt": iso(key.expires_at),
            "lastUsedAt": iso(self.accounts.last_used_at(key)),
        }


def parse_key(body: Any, now: datetime) -> NewKey:
    """Return the key of a POST body; raises InvalidDocument."""
    document = read_body(API_KEY, body)
    expires_at = document.moment("expiresAt")
    if expires_at is not None and expires_at <= now:
        document.wrong("expiresAt", "this time has passed")
    name, role = document.required_text("name"), document.required_text("role")
    document.finish()
    return NewKey(name, Role(role), expires_at)
