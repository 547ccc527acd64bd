"""What leads from the configuration of a server to that of a file: which resources are made, and which change."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from longwire.cli.documents import Document, Kind
from longwire.core.document import Member, Object
from longwire.core.errors import Misconfigured
from longwire.core.fields import MASK, InvalidDocument
from longwire.core.flow import parse_flow, to_document
from longwire.core.headers import is_secret_header
from longwire.core.kinds import ListOf, MapOf, Place
from longwire.core.message import parse_dev_eui


@dataclass(frozen=True, slots=True)
class Difference:
    """A member that is another in the file: its path, and both values, secrets masked."""

    path: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Step:
    """What has to be done with one resource: nothing when nothing differs and no secret is given in clear.

    `current` is the resource as it is, None for one to be made.
    """

    kind: Kind
    wanted: Document
    current: Document | None
    differences: list[Difference] = field(default_factory=list)
    has_secrets: bool = False

    @property
    def name(self) -> str:
        """Return what the resource is called."""
        return str(self.wanted.get(self.kind.key) or self.wanted.get("id") or "(without a name)")

    @property
    def action(self) -> str:
        """Return `create`, `update` or `none`."""
        if self.current is None:
            return "create"
        return "update" if self.differences else "none"


def find(kind: Kind, wanted: Document, existing: list[Document]) -> Document | None:
    """Return the resource that a document of the file is about, None where it has to be made.

    It is found by its id, where the file has one, else by its name. Raises Misconfigured when that is not clear.
    """
    if "id" in wanted:
        found = [each for each in existing if each.get("id") == str(wanted["id"])]
        if not found:
            raise Misconfigured(
                f"{kind.name}: there is none with the id {wanted['id']}; without id one is made"
            )
        return found[0]
    key = wanted.get(kind.key)
    if not isinstance(key, str) or not key:
        raise Misconfigured(f"{kind.name}: each needs a {kind.key} or an id")
    key = parse_dev_eui(key, f"{kind.name}.devEUI") if kind.key == "devEUI" else key
    found = [each for each in existing if each.get(kind.key) == key]
    if len(found) > 1:
        raise Misconfigured(f"{kind.name}: {len(found)} are named {key!r}; name one by its id")
    return found[0] if found else None


def make_step(kind: Kind, wanted: Document, current: Document | None) -> Step:
    """Return what has to be done; of a device only the members the file has are compared: others follow the network."""
    if current is None:
        return Step(kind, wanted, None)
    compared = {**current, **wanted} if kind.name == "devices" else _as_stored(kind, wanted)
    differences = list(_differences(kind.declared, current, compared, ""))
    return Step(
        kind,
        wanted,
        current,
        [each for each in differences if each.before != each.after],
        any(each.before == each.after == MASK for each in differences),
    )


def _as_stored(kind: Kind, wanted: Document) -> Document:
    """Return a flow with its DevEUIs and defaults as the server writes them; the others are compared by member."""
    try:
        return to_document(parse_flow(wanted)) if kind.name == "flows" else wanted
    except InvalidDocument:
        return wanted  # the server will say what is wrong with it


def _differences(declared: Object, before: Document, after: Document, path: str) -> Iterator[Difference]:
    """Return what differs; a secret given in clear is one that may differ: both values are the mask."""
    for name in after.keys() - declared.members.keys() - {"id"}:
        yield Difference(f"{path}{name}", None, after[name])  # the server will say what is wrong with it
    for name, member in declared.members.items():
        if not member.read_only:
            old, new = (each.get(name, member.default) for each in (before, after))
            yield from _member_differences(member, old, new, f"{path}{name}")


def _member_differences(member: Member, old: Any, new: Any, path: str) -> Iterator[Difference]:
    if isinstance(member.kind, Object) and all(isinstance(each, dict | None) for each in (old, new)):
        yield from _differences(member.kind, old or {}, new or {}, f"{path}.")
    elif isinstance(member.kind, MapOf) and isinstance(old, dict) and isinstance(new, dict):
        for name in {**old, **new}:
            secret = is_secret_header(name)
            yield from _difference(f"{path}.{name}", old.get(name), new.get(name), is_secret=secret)
    elif _plain(member.kind, old) != _plain(member.kind, new):
        yield from _difference(path, old, new, is_secret=member.secret)


def _difference(path: str, old: Any, new: Any, *, is_secret: bool) -> Iterator[Difference]:
    if old == new:
        return
    shown = (None if each is None else MASK for each in (old, new)) if is_secret else (old, new)
    yield Difference(path, *shown)


def _plain(kind: Any, value: Any) -> Any:
    """Return a value so that two spellings of the same are equal, defaults filled in."""
    if isinstance(kind, Object) and isinstance(value, dict):
        return {
            name: _plain(member.kind, value.get(name, member.default))
            for name, member in kind.members.items()
            if not member.read_only
        } | {name: value[name] for name in value.keys() - kind.members.keys()}
    if isinstance(kind, ListOf) and isinstance(value, list):
        return [_plain(kind.element, each) for each in value]
    read = None if value is None else kind.read(value, Place("", []))
    return value if read is None else read


def without_defaults(declared: Object, document: Document) -> Document:
    """Return a document of the API without what is read only, and without what is the default anyway."""
    kept: Document = {}
    for name, member in declared.members.items():
        if name not in document or member.read_only:
            continue
        value = document[name]
        if isinstance(member.kind, Object):
            value = without_defaults(member.kind, value)
        if member.required or value not in (member.default, {}, []):
            kept[name] = value
    return kept
