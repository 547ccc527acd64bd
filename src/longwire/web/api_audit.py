"""`/audit`: who changed what (specification, section 18)."""

from dataclasses import dataclass
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from sqlalchemy.engine import Row

from longwire.core.access import Right, Role
from longwire.core.document import Object
from longwire.core.kinds import TIME, Anything, Choice, Text
from longwire.storage.audit import list_changes
from longwire.storage.database import Database
from longwire.web.answers import always
from longwire.web.identity import needs
from longwire.web.operation import described, listing
from longwire.web.paging import PAGING, page_response, parse_page
from longwire.web.shapes import iso_micros

CHANGE = Object(
    name="Change",
    members={
        "at": always(TIME, "When it was asked for."),
        "key": always(Text(), "The id of the key that asked for it."),
        "keyName": always(Text(), "The name of that key."),
        "role": always(Choice(tuple(role.value for role in Role)), "The role of that key."),
        "action": always(Text(), "What was done: `create`, `update`, `delete`, `restart`, `replay`, ..."),
        "resource": always(Text(), "To what kind of resource, as in its path."),
        "resourceId": always(Text(), "To which one."),
        "changes": always(
            Anything(), "Each member that is now another, by its path: `{from, to}`, secrets masked."
        ),
    },
)


@dataclass(frozen=True, slots=True)
class AuditApi:
    """What the route of the audit log works with."""

    database: Database

    def routes(self) -> list[HTTPRouteHandler]:
        """Return the route handlers."""

        @get("/audit", opt=needs(Right.OWN) | described(listing(CHANGE, PAGING)))
        async def list_audit(request: Request[Any, Any, Any]) -> Response[Any]:
            page = parse_page(request.query_params)
            total, rows = await list_changes(self.database, page)
            return page_response(request, page, total, [_shape(row) for row in rows])

        return [list_audit]


def _shape(row: Row[Any]) -> dict[str, Any]:
    return {
        "at": iso_micros(row.at),
        "key": row.key_id,
        "keyName": row.key_name,
        "role": row.role,
        "action": row.action,
        "resource": row.resource,
        "resourceId": row.resource_id,
        "changes": msgspec.Raw(row.changes.encode()),
    }
