"""What somebody did, as the audit log tells it (specification, section 15)."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """One thing done to one resource.

    `resource` is the name of its kind in paths (`connections`); `differences` maps the path of each member that is
    now another to `{"from", "to"}`, without the one that was not there.
    """

    action: str
    resource: str
    resource_id: str
    differences: Document = field(default_factory=dict)


def differences(
    before: Document, after: Document, mask: Callable[[Document], Document] = lambda document: document
) -> dict[str, Any]:
    """Return which members differ, by path; secrets are compared in clear and told through `mask`.

    An empty document is one that is not there.
    """
    old, new = dict(_leaves(before)), dict(_leaves(after))
    told_old, told_new = (dict(_leaves(mask(each) if each else {})) for each in (before, after))
    return {
        path: {
            **({"from": told_old[path]} if path in old else {}),
            **({"to": told_new[path]} if path in new else {}),
        }
        for path in {**old, **new}
        if old.get(path) != new.get(path)
    }


def _leaves(document: Document, path: str = "") -> Iterator[tuple[str, Any]]:
    """Return every member that is no object, by path; a list is one value."""
    for name, value in document.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{path}{name}.")
        elif value is not None:
            yield f"{path}{name}", value
