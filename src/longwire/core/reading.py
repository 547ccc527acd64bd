"""A message as patterns read it: its members, its whole tree, and the steps that reading it may still take."""

from collections.abc import Mapping
from typing import Any

import msgspec

from longwire.core import json_text

MAX_STEPS = 50_000
"""How much work all patterns of one request may make; one step is at most about 0.3 us."""

_CONTAINERS = frozenset({dict, list})

Members = Mapping[str, msgspec.Raw]


class OverBudget(Exception):
    """The patterns of a request make too much work, or too much text, for this message; the text says which."""


class Reading:
    """One root object: `members` are its members' raw bytes, `tree` is the whole text decoded when it is asked for."""

    __slots__ = ("_body", "_containers", "_left", "_tree", "members", "root")

    def __init__(self, root: str, members: Members, body: bytes) -> None:
        """Keep a message's parts; `body` is as `read_roots` keeps it."""
        self.root = root
        self.members = members
        self._body = body
        self._left = MAX_STEPS
        self._tree: Any = None
        self._containers: list[Any] | None = None

    def spend(self, steps: int) -> None:
        """Count work; raises OverBudget when it is more than a request may make."""
        self._left -= steps
        if self._left < 0:
            raise OverBudget(f"its patterns take more than {MAX_STEPS} steps on this message")

    @property
    def tree(self) -> Any:
        """Return the decoded message (see `json_text.read_kept_tree`)."""
        if self._tree is None:
            self.spend(len(self._body) >> 6)
            self._tree = json_text.read_kept_tree(self._body)
        return self._tree

    def containers(self, top: Any) -> list[Any]:
        """Return `top` and what lies in it, objects and arrays only, in the order of the text."""
        if top is not self._tree:
            return self._find_containers(top)
        if self._containers is None:
            self._containers = self._find_containers(top)
        return self._containers

    def _find_containers(self, top: Any) -> list[Any]:
        found: list[Any] = []
        if type(top) in _CONTAINERS:
            self._add_containers(top, found)
        return found

    def _add_containers(self, container: Any, found: list[Any]) -> None:
        """Add a container and what lies in it; it recurs as deep as a message may be nested."""
        self.spend(1 + len(container))
        found.append(container)
        for inner in container.values() if type(container) is dict else container:
            if type(inner) in _CONTAINERS:
                self._add_containers(inner, found)


def read_message(body: bytes) -> Reading:
    """Return the reading of a body as `read_roots` keeps it."""
    root, members = json_text.read_kept_root(body)
    return Reading(root, members, body)
