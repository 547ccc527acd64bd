"""The connections a form lets one choose from: some of them, and a search for the others."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from longwire.web.ui.api_client import Api

SHOWN = 50


@dataclass(frozen=True, slots=True)
class Choices:
    """Connections that match `search`; `total` is how many do, of which `SHOWN` are listed."""

    connections: list[dict[str, Any]]
    total: int
    search: str = ""

    @property
    def has_search(self) -> bool:
        """Return whether the form needs a search."""
        return bool(self.search) or self.total > SHOWN


async def find_choices(api: Api, search: str) -> Choices:
    """Return the newest connections that match a text."""
    answer = await api.get("/connections", q=search, perPage=SHOWN)
    return Choices(answer.document, answer.total, search)


async def find_connections(api: Api, ids: Collection[str]) -> dict[str, dict[str, Any]]:
    """Return the connections with these ids that exist, by id."""
    if not ids:
        return {}
    answer = await api.get("/connections", id=",".join(sorted(ids)), perPage=len(ids))
    return {each["id"]: each for each in answer.document}
