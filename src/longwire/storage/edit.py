"""Changing a stored document: what a body makes of it, and only when the caller has seen it as it is."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from longwire.core.errors import Stale
from longwire.core.merge_patch import merge_patch

Edit = Callable[[Mapping[str, Any]], Any]
"""Makes the document to store of the stored one, which it sees as GET shows it: secrets masked."""


def replaced_by(body: Any) -> Edit:
    """Return the edit of a PUT."""
    return lambda _stored: body


def merged_with(patch: Any) -> Edit:
    """Return the edit of a PATCH."""
    return lambda stored: merge_patch(stored, patch)


def check_revision(revision: int, expected: Collection[int] | None) -> None:
    """Raise Stale when the stored revision is none of those the caller has seen; None: whatever is stored."""
    if expected is not None and revision not in expected:
        raise Stale("it was changed meanwhile; GET it again, then repeat the change")
