"""The configuration as a file: its kinds of resources, `${NAME}` for secrets, names in the place of ids."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from longwire.core.connector import CONNECTION
from longwire.core.device import DEVICE
from longwire.core.document import Object
from longwire.core.errors import Misconfigured
from longwire.core.flow import FLOW
from longwire.core.network_server import NETWORK_SERVER

Document = dict[str, Any]
State = Mapping[str, list[Document]]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of resource: its name in paths and files, what it holds, and the member that names one."""

    name: str
    declared: Object
    key: str


KINDS = (
    Kind("networkServers", NETWORK_SERVER, "name"),
    Kind("connections", CONNECTION, "name"),
    Kind("flows", FLOW, "name"),
    Kind("devices", DEVICE, "devEUI"),
)
"""In the order in which they refer to each other."""


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # the library has no types
    """YAML as JSON has it: a date is a text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read_file(path: Path, variable: Callable[[str], str | None]) -> State:
    """Return what a file wants, `${NAME}` replaced by variables; raises Misconfigured for what no file may hold."""
    try:
        # The loader is a SafeLoader.
        document = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise Misconfigured(f"{path} cannot be read: {error}") from error
    wanted = {} if document is None else document
    known = [kind.name for kind in KINDS]
    if not isinstance(wanted, dict) or not wanted.keys() <= set(known):
        raise Misconfigured(f"{path}: expected only {', '.join(known)}")
    for name, resources in wanted.items():
        if not isinstance(resources, list) or not all(isinstance(each, dict) for each in resources):
            raise Misconfigured(f"{path}: {name} must be a list of resources")
    return {name: [expand(each, variable) for each in resources] for name, resources in wanted.items()}


def expand(value: Any, variable: Callable[[str], str | None]) -> Any:
    """Return a value with `${NAME}` in its texts replaced, `$${` by a plain `${`."""
    if isinstance(value, dict):
        return {name: expand(inner, variable) for name, inner in value.items()}
    if isinstance(value, list):
        return [expand(inner, variable) for inner in value]
    return "".join(_expanded(value, variable)) if isinstance(value, str) else value


def _expanded(text: str, variable: Callable[[str], str | None]) -> Iterator[str]:
    while "${" in text:
        before, _, text = text.partition("${")
        if before.endswith("$"):
            yield before + "{"
            continue
        name, closed, text = text.partition("}")
        found = variable(name) if closed else None
        if found is None:
            raise Misconfigured(f"${{{name[:40]}}}: there is no such variable; $${{ stands for a plain ${{")
        yield before + found
    yield text


def escape(value: Any) -> Any:
    """Return a value that `expand` leads back to."""
    if isinstance(value, dict):
        return {name: escape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [escape(inner) for inner in value]
    return value.replace("${", "$${") if isinstance(value, str) else value


class Names:
    """Which name stands for which id, of network servers and connections."""

    def __init__(self, state: State) -> None:
        """Know what there is."""
        self._ids: dict[tuple[str, str], list[str]] = {}
        for kind in ("networkServers", "connections"):
            for each in state.get(kind, []):
                self.add(kind, each)

    def add(self, kind: str, document: Document) -> None:
        """Learn the id of a resource."""
        if document.get("name"):
            self._ids.setdefault((kind, document["name"]), []).append(document["id"])

    def id_of(self, kind: str, name: Any) -> str:
        """Return the id of the one resource of that name; raises Misconfigured when there is none, or several."""
        ids = self._ids.get((kind, str(name)), [])
        if len(ids) != 1:
            raise Misconfigured(f"{kind}: {len(ids) or 'none'} named {name!r}; one is needed")
        return ids[0]

    def name_of(self, kind: str, identifier: str) -> str | None:
        """Return the name that stands for an id, None where it has none, or shares it."""
        found = (name for (each, name), ids in self._ids.items() if each == kind and ids == [identifier])
        return next(found, None)


def with_ids(kind: Kind, document: Document, names: Names) -> Document:
    """Return a document of a file as the API takes it."""
    replaced = dict(document)
    if kind.name == "flows" and isinstance(document.get("connectors"), list):
        replaced["connectors"] = [_entry_with_id(each, names) for each in document["connectors"]]
    if kind.name == "devices":
        if "connections" in replaced:
            wanted = replaced.pop("connections") or []
            replaced["connectionIds"] = sorted(names.id_of("connections", each) for each in wanted)
        if "networkServer" in replaced:
            replaced["networkServerId"] = names.id_of("networkServers", replaced.pop("networkServer"))
    return replaced


def _entry_with_id(entry: Any, names: Names) -> Any:
    if not isinstance(entry, dict) or "connection" not in entry:
        return entry
    others = {name: value for name, value in entry.items() if name != "connection"}
    return {**others, "connectionId": names.id_of("connections", entry["connection"])}


def with_names(kind: Kind, document: Document, names: Names) -> Document:
    """Return a document of the API as a file holds it: names in the place of ids, where they are unique."""
    replaced = dict(document)
    if kind.name == "flows":
        replaced["connectors"] = [_entry_with_name(each, names) for each in document["connectors"]]
    if kind.name == "devices":
        found = [names.name_of("connections", each) for each in document.get("connectionIds", [])]
        if None not in found:
            replaced.pop("connectionIds", None)
            replaced.update({"connections": found} if found else {})
        server = names.name_of("networkServers", document.get("networkServerId", ""))
        if server is not None:
            del replaced["networkServerId"]
            replaced["networkServer"] = server
    return replaced


def _entry_with_name(entry: Document, names: Names) -> Document:
    name = names.name_of("connections", entry["connectionId"])
    if name is None:
        return entry
    return {"connection": name, **{each: value for each, value in entry.items() if each != "connectionId"}}
