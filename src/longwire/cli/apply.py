"""`longwire apply` and `longwire export`: the configuration of a running server as YAML."""

import json
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer
import yaml

from longwire.cli.api import Api, Refused, make_api
from longwire.cli.documents import (
    KINDS,
    Document,
    Kind,
    Names,
    State,
    escape,
    read_file,
    with_ids,
    with_names,
)
from longwire.cli.options import AsJson, ConfigFile, Key, Url
from longwire.cli.plan import Step, find, make_step, without_defaults
from longwire.settings import load_settings, read_variable

EXIT_WOULD_CHANGE = 3

_PAGE = 5000
_NOT_FOUND = 404
_UNPAGED = "connections"


def apply(  # noqa: PLR0913 - each option of the command is an argument
    file: Annotated[
        Path, typer.Option("--file", "-f", help="The YAML file, as `longwire export` writes it.")
    ],
    url: Url = None,
    key: Key = None,
    config: ConfigFile = None,
    *,
    dry_run: Annotated[bool, typer.Option(help="Say what would change, and change nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a running server's configuration what a file says; what the file does not name stays.

    Exit codes: 0 done (a dry run: nothing would change), 1 refused or failed, 2 the file or an option is wrong, 3 a dry
    run that would change something.
    """
    wanted = read_file(file, read_variable)
    steps = _carry_out(make_api(load_settings(config), url, key), wanted, dry_run=dry_run)
    changes = [each for each in steps if each.action != "none"]
    print(json.dumps(_report(steps, changes, dry_run=dry_run)) if as_json else _told(steps, changes))
    if dry_run and changes:
        raise typer.Exit(EXIT_WOULD_CHANGE)


def export(url: Url = None, key: Key = None, config: ConfigFile = None, *, as_json: AsJson = False) -> None:
    """Print a running server's configuration as YAML, secrets as `*****`, of devices those set up by hand."""
    state = _read_state(make_api(load_settings(config), url, key))
    names = Names(state)
    document = {
        kind.name: [_exported(kind, each, names, state) for each in state[kind.name]] for kind in KINDS
    }
    kept = {name: escape(each) for name, each in document.items() if each}
    print(
        json.dumps(kept, ensure_ascii=False)
        if as_json
        else yaml.safe_dump(kept, sort_keys=False, allow_unicode=True).rstrip()
    )


def _read_state(api: Api) -> State:
    """Return what there is, oldest first; of devices only those that were set up by hand."""
    return {kind.name: _read_kind(api, kind.name, "&configured=true")[::-1] for kind in KINDS}


def _read_kind(api: Api, kind: str, device_filter: str) -> list[Document]:
    found: list[Document] = []
    while True:
        number = len(found) // _PAGE + 1
        query = f"?perPage={_PAGE}&page={number}{device_filter if kind == 'devices' else ''}"
        page: list[Document] = api.call("GET", f"/{kind}{'' if kind == _UNPAGED else query}")
        found += page
        if kind == _UNPAGED or len(page) < _PAGE:
            return found


def _exported(kind: Kind, document: Document, names: Names, state: State) -> Document:
    kept = without_defaults(kind.declared, document)
    alike = [each for each in state[kind.name] if each.get(kind.key) == document.get(kind.key)]
    if kind.key not in document or len(alike) > 1:
        kept = {"id": document["id"], **kept}
    return with_names(kind, kept, names)


def _carry_out(api: Api, wanted: State, *, dry_run: bool) -> list[Step]:
    """Return every step, carried out unless it is a dry run; a resource that is refused ends it."""
    state = {kind.name: [] if kind.name == "devices" else _read_kind(api, kind.name, "") for kind in KINDS}
    names, steps = Names(state), []
    for kind in KINDS:
        for document in wanted.get(kind.name, []):
            step = _plan(api, kind, with_ids(kind, document, names), state)
            made = {**step.wanted, "id": "(new)"} if dry_run else _do(api, step)
            if step.current is None and kind.key == "name":
                names.add(kind.name, made)
            steps.append(step)
    return steps


def _plan(api: Api, kind: Kind, wanted: Document, state: State) -> Step:
    if kind.name != "devices":
        return make_step(kind, wanted, find(kind, wanted, state[kind.name]))
    return make_step(kind, wanted, find(kind, wanted, _read_device(api, str(wanted.get("devEUI", "")))))


def _read_device(api: Api, dev_eui: str) -> list[Document]:
    """Return the device, if it is there: there may be too many to read them all."""
    try:
        return [api.call("GET", f"/devices/{quote(dev_eui, safe='')}")] if dev_eui else []
    except Refused as error:
        if error.status == _NOT_FOUND:
            return []
        raise


def _do(api: Api, step: Step) -> Any:
    """Return the resource as it is after the step."""
    path = f"/{step.kind.name}"
    wanted = {name: value for name, value in step.wanted.items() if name != "id"}
    try:
        if step.current is None:
            return api.call("POST", path, wanted)
        if step.action == "none" and not step.has_secrets:
            return step.current
        one = f"{path}/{quote(step.current.get('id') or step.current['devEUI'], safe='')}"
        if step.kind.name == "devices":
            return api.call("PATCH", one, wanted)
        # A secret in clear may be the one that is there: then nothing shall happen to the connection.
        return api.call("PUT", f"{one}?ifChanged=true" if step.has_secrets else one, wanted)
    except Refused as error:
        raise Refused(f"{step.kind.name} {step.name}: {error}", error.status) from error


def _report(steps: list[Step], changes: list[Step], *, dry_run: bool) -> Document:
    return {
        "dryRun": dry_run,
        "unchanged": len(steps) - len(changes),
        "changes": [
            {
                "kind": step.kind.name,
                "name": step.name,
                "action": step.action,
                "differences": [
                    {"path": each.path, "from": each.before, "to": each.after} for each in step.differences
                ],
            }
            for step in changes
        ],
    }


def _told(steps: list[Step], changes: list[Step]) -> str:
    lines: list[str] = []
    for step in changes:
        lines.append(f"{'+' if step.action == 'create' else '~'} {step.kind.name} {step.name}")
        lines += [
            f"    {each.path}: {_value(each.before)} -> {_value(each.after)}" for each in step.differences
        ]
    return "\n".join([*lines, f"{len(changes)} to change, {len(steps) - len(changes)} unchanged"])


def _value(value: Any) -> str:
    return "nothing" if value is None else json.dumps(value, ensure_ascii=False)
