"""`longwire keys`: list, create and delete the API keys of a running server."""

import json
from typing import Annotated, Any
from urllib.parse import quote

import typer

from longwire.cli.api import Api, make_api
from longwire.cli.options import AsJson, ConfigFile, Key, Url
from longwire.cli.table import print_table
from longwire.settings import load_settings

keys = typer.Typer(
    help=(
        "List, create and delete API keys of a running server; needs an Owner's key. "
        "Exit codes: 0 done, 1 refused or no answer, 2 misconfigured."
    )
)

_PAGE = 5000


@keys.callback()
def open_api(context: typer.Context, url: Url = None, key: Key = None, config: ConfigFile = None) -> None:
    """Find the server and the key before a command runs."""
    context.obj = make_api(load_settings(config), url, key)


@keys.command("list")
def list_keys(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Print every key: id, role, name, when it expires, when it was used last."""
    found: list[Any] = _api(context).call("GET", f"/apiKeys?perPage={_PAGE}")
    if as_json:
        print(json.dumps(found))
        return
    columns = ("id", "role", "name", "expiresAt", "lastUsedAt")
    print_table(columns, ([each[name] for name in columns] for each in found))


@keys.command("create")
def create_key(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    role: Annotated[str, typer.Option(help="Reader, Writer, Controller or Owner.")] = "Reader",
    expires_at: Annotated[str | None, typer.Option(help="ISO time, such as 2027-01-31T00:00:00Z.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Print a new key; it is never shown again."""
    document = {"name": name, "role": role, "expiresAt": expires_at}
    made = _api(context).call("POST", "/apiKeys", document)
    print(json.dumps(made) if as_json else f"{made['key']}\n(id {made['id']}; shown only now)")


@keys.command("delete")
def delete_key(
    context: typer.Context,
    key_id: Annotated[str, typer.Argument(help="The id of the key, as listed.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Revoke a key at once, with its access tokens."""
    _api(context).call("DELETE", f"/apiKeys/{quote(key_id, safe='')}")
    print(json.dumps({"id": key_id}) if as_json else f"deleted {key_id}")


def _api(context: typer.Context) -> Api:
    api: Api = context.obj
    return api
