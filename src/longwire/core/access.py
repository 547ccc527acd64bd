"""Who may do what: the four roles of a key, and the right each request needs (specification, section 15)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum


class Right(Enum):
    """What a request does; the value completes "may not ..."."""

    READ = "read"
    WRITE = "write"
    DELETE = "delete"
    SEND_DOWNLINKS = "send downlinks"
    OWN = "manage keys or read the audit log"


class Role(Enum):
    """What a key is for, weakest first; the value is its spelling in the API."""

    READER = "Reader"
    WRITER = "Writer"
    CONTROLLER = "Controller"
    OWNER = "Owner"


_RIGHTS: Mapping[Role, frozenset[Right]] = {
    Role.READER: frozenset({Right.READ}),
    Role.WRITER: frozenset({Right.READ, Right.WRITE}),
    Role.CONTROLLER: frozenset({Right.READ, Right.WRITE, Right.SEND_DOWNLINKS}),
    Role.OWNER: frozenset(Right),
}
_OF_METHODS: Mapping[str, Right] = {
    "GET": Right.READ,
    "HEAD": Right.READ,
    "OPTIONS": Right.READ,
    "POST": Right.WRITE,
    "PUT": Right.WRITE,
    "PATCH": Right.WRITE,
}


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks: the id, the name and the role of the key."""

    key_id: str
    name: str
    role: Role

    def may(self, right: Right) -> bool:
        """Return whether the role has a right."""
        return right in _RIGHTS[self.role]


@dataclass(frozen=True, slots=True)
class Author:
    """Who asks for a change, and when: what the audit log keeps of it."""

    identity: Identity
    at: datetime


def right_of(method: str) -> Right:
    """Return the right a method needs where a route says nothing else; an unknown method needs the rarest."""
    return _OF_METHODS.get(method, Right.DELETE)


def weakest_role(right: Right) -> Role:
    """Return the first role that has a right; every role after it has it too."""
    return next(role for role in Role if right in _RIGHTS[role])
