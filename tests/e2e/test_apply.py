"""`longwire apply` and `export`: a server's configuration as a file, there and back, as a pipeline would use it."""

import json
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.e2e.api_client import Api, Json, connection_document
from tests.e2e.longwire_process import OWNER_KEY, PROGRAM, Longwire, environment
from tests.e2e.lrc import AS_KEY, uplink
from tests.e2e.sink import Sink

DONE, FAILED, MISCONFIGURED, WOULD_CHANGE = 0, 1, 2, 3
KEY = "0059AC00AA000001"


class Runs:
    """Runs the commands against one server, with files in a folder of the test."""

    def __init__(self, longwire: Longwire, folder: Path) -> None:
        self.api = longwire.api
        self.file = folder / "longwire.yaml"
        self.settings: Mapping[str, str] = {
            "LONGWIRE_URL": f"http://127.0.0.1:{longwire.port}",
            "LONGWIRE_KEY": OWNER_KEY,
        }

    def run(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        env = environment({**self.settings}) | settings
        return subprocess.run(
            [PROGRAM, *arguments], env=env, capture_output=True, text=True, timeout=60, check=False
        )

    def apply(
        self, document: Any, *arguments: str, code: int = DONE, settings: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        text = document if isinstance(document, str) else yaml.safe_dump(document)
        self.file.write_text(text)
        done = self.run("apply", "-f", str(self.file), *arguments, **(settings or {}))
        assert done.returncode == code, done.stdout + done.stderr
        return done

    def export(self) -> Json:
        done = self.run("export")
        assert done.returncode == DONE, done.stderr
        found: Json = yaml.safe_load(done.stdout) or {}
        return found


@pytest.fixture
def runs(longwire: Callable[..., Longwire], tmp_path: Path) -> Runs:
    return Runs(longwire().start(), tmp_path)


@pytest.fixture
def wanted(sink: Sink) -> Json:
    return {
        "networkServers": [
            {"name": "LRC", "type": "thingpark", "configuration": {"asKey": "${TUNNEL_KEY}"}},
        ],
        "connections": [
            {
                "name": "Cloud",
                "connectorId": "actility-http-iot",
                "configuration": {
                    "destinationURL": sink.url(),
                    "headers": {"Authorization": "Bearer ${TOKEN}", "X-Price": "$${not a variable}"},
                    "requestTimeout": "60s",
                },
            }
        ],
        "flows": [
            {
                "name": "Paris",
                "matchers": [
                    {"type": "key", "key": "lora:00-59-ac-00-aa-00-00-01"},
                    {"type": "thing", "tags": ["site=Paris"], "model": {"moduleId": "ers"}},
                ],
                "connectors": [{"connection": "Cloud", "uplinkTimeValidity": "1h"}],
            }
        ],
        "devices": [
            {"devEUI": KEY, "name": "Fridge", "networkServer": "LRC", "connections": ["Cloud"]},
            {"devEUI": "0059AC00AA000002"},
        ],
    }


SECRETS = {"TUNNEL_KEY": AS_KEY, "TOKEN": "s3cr3t-token"}


def revisions(api: Api) -> dict[str, str]:
    """Return the ETag of everything there is."""
    paths = [
        f"/{kind}/{each['id']}"
        for kind in ("networkServers", "connections", "flows")
        for each in api.get(f"/{kind}")
    ]
    paths += [f"/devices/{each['devEUI']}" for each in api.get("/devices")]
    return {path: api.call("GET", path).headers["etag"] for path in paths}


def test_a_file_is_applied_and_a_second_time_changes_nothing(runs: Runs, wanted: Json, sink: Sink) -> None:
    first = runs.apply(wanted, settings=SECRETS)
    assert "5 to change, 0 unchanged" in first.stdout
    assert "s3cr3t-token" not in first.stdout
    before = revisions(runs.api)
    assert len(before) == 5

    again = runs.apply(wanted, settings=SECRETS)

    assert again.stdout.strip() == "0 to change, 5 unchanged"
    assert revisions(runs.api) == before
    (flow,), (connection,) = runs.api.get("/flows"), runs.api.get("/connections")
    assert flow["connectors"] == [{"connectionId": connection["id"], "uplinkTimeValidity": "1h"}]
    (server,) = runs.api.get("/networkServers")
    assert runs.api.get(f"/devices/{KEY}")["connectionIds"] == [connection["id"]]
    sent = uplink(KEY, 1)
    assert runs.api.raw("POST", f"/ingest/{server['id']}?{sent.query}", sent.body, {}).status == 200
    assert sink.wait_for(1)[0].header("Authorization") == "Bearer s3cr3t-token"


def test_a_dry_run_tells_the_difference_and_changes_nothing(runs: Runs, wanted: Json) -> None:
    assert "+ flows Paris" in runs.apply(wanted, "--dry-run", code=WOULD_CHANGE, settings=SECRETS).stdout
    assert runs.api.get("/connections") == []
    runs.apply(wanted, settings=SECRETS)
    before = revisions(runs.api)
    wanted["connections"][0]["configuration"]["requestTimeout"] = "5s"
    wanted["connections"][0]["configuration"]["headers"] = {"Authorization": "*****", "X-New": "1"}
    wanted["flows"][0]["matchers"].pop()

    told = runs.apply(wanted, "--dry-run", code=WOULD_CHANGE, settings=SECRETS).stdout

    assert "~ connections Cloud" in told
    assert '    configuration.requestTimeout: "60s" -> "5s"' in told
    assert '    configuration.headers.X-New: nothing -> "1"' in told
    assert "configuration.headers.X-Price" in told
    assert "Authorization" not in told
    assert "~ flows Paris" in told
    assert "2 to change, 3 unchanged" in told
    assert revisions(runs.api) == before
    as_json = json.loads(
        runs.apply(wanted, "--dry-run", "--json", code=WOULD_CHANGE, settings=SECRETS).stdout
    )
    assert [(each["kind"], each["action"]) for each in as_json["changes"]] == [
        ("connections", "update"),
        ("flows", "update"),
    ]
    assert as_json["unchanged"] == 3
    runs.apply(wanted, settings=SECRETS)
    assert "0 to change" in runs.apply(wanted, "--dry-run", settings=SECRETS).stdout


def test_only_what_changed_is_saved(runs: Runs, wanted: Json) -> None:
    runs.apply(wanted, settings=SECRETS)
    before = revisions(runs.api)
    runs.apply(wanted, settings=SECRETS | {"TOKEN": "another-token"})
    (connection,) = runs.api.get("/connections")
    changed = {path for path, tag in revisions(runs.api).items() if before[path] != tag}
    assert changed == {f"/connections/{connection['id']}"}


def test_what_export_gives_changes_nothing_and_holds_no_secret(runs: Runs, wanted: Json) -> None:
    runs.apply(wanted, settings=SECRETS)
    server = runs.api.create("/networkServers", {"name": "Other", "type": "thingpark"})
    sent = uplink("0059AC00AA000009", 1)
    assert runs.api.raw("POST", f"/ingest/{server['id']}?{sent.query}", sent.body, {}).status == 200
    before = revisions(runs.api)

    exported = runs.run("export").stdout

    assert "s3cr3t" not in exported
    assert AS_KEY not in exported
    document = yaml.safe_load(exported)
    (connection,) = document["connections"]
    assert connection["configuration"]["headers"] == {
        "Authorization": "*****",
        "X-Price": "$${not a variable}",
    }
    assert document["flows"][0]["connectors"] == [{"connection": "Cloud", "uplinkTimeValidity": "1h"}]
    assert [each["devEUI"] for each in document["devices"]] == [KEY, "0059AC00AA000002"]
    assert document["devices"][0] == {
        "devEUI": KEY,
        "name": "Fridge",
        "connections": ["Cloud"],
        "networkServer": "LRC",
    }
    assert "0 to change" in runs.apply(exported).stdout
    assert revisions(runs.api) == before
    assert json.loads(runs.run("export", "--json").stdout) == document


def test_resources_of_the_same_name_are_told_apart_by_their_ids(runs: Runs, sink: Sink) -> None:
    for path in ("/one", "/two"):
        runs.api.create("/connections", connection_document(sink.url(path), name="Twin", active=False))
    exported = runs.export()
    assert [each["id"] for each in exported["connections"]] == ["1", "2"]
    exported["connections"][1]["name"] = "Other"
    assert "~ connections Other" in runs.apply(exported).stdout
    assert sorted(each["name"] for each in runs.api.get("/connections")) == ["Other", "Twin"]
    twins = {"connections": [connection_document(sink.url(), name="Twin")] * 1}
    assert "0 to change" not in runs.apply(twins).stdout


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("connections: 1", MISCONFIGURED, "must be a list"),
        ("conections: []", MISCONFIGURED, "expected only networkServers"),
        ("connections: [", MISCONFIGURED, "cannot be read"),
        ("- 1", MISCONFIGURED, "expected only"),
        ("connections: [{name: '${NOWHERE_TO_BE_FOUND}'}]", MISCONFIGURED, "there is no such variable"),
        ("connections: [{connectorId: x}]", MISCONFIGURED, "needs a name or an id"),
        ("flows: [{name: f, connectors: [{connection: gone}]}]", MISCONFIGURED, "none named 'gone'"),
        ("flows: [{id: 999999999, connectors: []}]", MISCONFIGURED, "none with the id 999999999"),
        ("networkServers: [{name: n, type: x}]", FAILED, "networkServers n: type: expected thingpark"),
        ("devices: [{devEUI: '12'}]", FAILED, "devEUI"),
        (
            "connections: [{name: c, connectorId: actility-http-iot, nmae: 2026-01-01}]",
            FAILED,
            "did you mean name?",
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_said(
    shared: Longwire, tmp_path: Path, text: str, code: int, said: str
) -> None:
    done = Runs(shared, tmp_path).apply(text, code=code)
    assert done.stdout == ""
    assert said in done.stderr


def test_an_empty_file_and_an_empty_server_are_fine(runs: Runs) -> None:
    assert runs.apply("").stdout.strip() == "0 to change, 0 unchanged"
    assert runs.export() == {}
    assert runs.run("apply", "-f", str(runs.file.with_name("none.yaml"))).returncode == MISCONFIGURED


def test_a_change_that_changes_nothing_is_left_out_where_it_is_asked_for(api: Api, sink: Sink) -> None:
    document = connection_document(sink.url(), active=False, headers={"X-Token": "one"})
    path = f"/connections/{api.create('/connections', document)['id']}"
    tag = api.call("GET", path).headers["etag"]
    assert api.call("PUT", f"{path}?ifChanged=true", document).headers["etag"] == tag
    assert api.call("PUT", path, document).headers["etag"] != tag
    tag = api.call("GET", path).headers["etag"]
    document["configuration"]["headers"]["X-Token"] = "two"
    assert api.call("PUT", f"{path}?ifChanged=true", document).headers["etag"] != tag
    assert api.call("PUT", f"{path}?ifChanged=perhaps", document).status == 400
