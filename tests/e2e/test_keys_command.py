"""`longwire keys`: the same through the command line, as a script would use it."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.e2e.api_client import Api
from tests.e2e.longwire_process import OWNER_KEY, PROGRAM, Longwire, environment

DONE, FAILED, MISCONFIGURED = 0, 1, 2


def keys(*arguments: str, **settings: str | None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, "keys", *arguments],
        env=environment(settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def at(shared: Longwire) -> Mapping[str, str]:
    return {"LONGWIRE_URL": f"http://127.0.0.1:{shared.port}", "LONGWIRE_KEY": OWNER_KEY}


def test_a_key_is_created_listed_and_deleted(api: Api, at: Mapping[str, str]) -> None:
    made = keys("create", "for scripts", "--role", "Writer", "--expires-at", "2099-01-01", "--json", **at)
    assert made.returncode == DONE, made.stderr
    document = json.loads(made.stdout)
    assert api.with_key(document["key"]).call("GET", "/connections").status == 200

    listed = keys("list", "--json", **at)
    found = next(each for each in json.loads(listed.stdout) if each["id"] == document["id"])
    assert (found["name"], found["role"]) == ("for scripts", "Writer")
    assert found["expiresAt"] == "2099-01-01T00:00:00.000Z"
    table = keys("list", **at).stdout
    assert "for scripts" in table
    assert document["key"] not in listed.stdout + table

    assert keys("delete", document["id"], **at).returncode == DONE
    assert api.with_key(document["key"]).call("GET", "/connections").status == 401


def test_a_new_key_is_printed_for_people_too(api: Api, at: Mapping[str, str]) -> None:
    made = keys("create", "people", **at)
    assert made.returncode == DONE
    assert api.with_key(made.stdout.split()[0]).call("GET", "/connections").status == 200


def test_what_the_server_refuses_is_said_with_exit_code_1(at: Mapping[str, str]) -> None:
    for arguments, said in (
        (("delete", "999"), "no such key"),
        (("delete", "../connections/1"), "nothing at this path"),
        (("create", "x", "--role", "Boss"), "role: expected Reader"),
    ):
        refused = keys(*arguments, **at)
        assert (refused.returncode, refused.stdout) == (FAILED, "")
        assert said in refused.stderr
    wrong = keys("list", **{**at, "LONGWIRE_KEY": "lw_wrong"})
    assert (wrong.returncode, wrong.stdout) == (FAILED, "")
    assert "not valid" in wrong.stderr


def test_options_go_before_the_settings(at: Mapping[str, str]) -> None:
    options = ("--url", at["LONGWIRE_URL"], "--key", OWNER_KEY)
    settings = {"LONGWIRE_URL": "http://127.0.0.1:9", "LONGWIRE_KEY": "lw_wrong"}
    assert keys(*options, "list", **settings).returncode == DONE


def test_a_server_that_does_not_answer_is_a_failure(at: Mapping[str, str]) -> None:
    failed = keys("list", **{**at, "LONGWIRE_URL": "http://127.0.0.1:9"})
    assert failed.returncode == FAILED
    assert "no answer from http://127.0.0.1:9" in failed.stderr
    assert OWNER_KEY not in failed.stderr + failed.stdout
    assert "Traceback" not in failed.stderr


@pytest.mark.parametrize(
    "settings",
    [
        {"LONGWIRE_KEY": None},
        {"LONGWIRE_URL": "ftp://127.0.0.1"},
        {"LONGWIRE_URL": "http://127.0.0.1:port"},
    ],
)
def test_what_the_operator_must_change_is_exit_code_2(
    at: Mapping[str, str], tmp_path: Path, settings: Mapping[str, str | None]
) -> None:
    failed = keys("list", **{**at, "LONGWIRE_DATA": str(tmp_path), **settings})
    assert failed.returncode == MISCONFIGURED, failed.stderr
    assert "Traceback" not in failed.stderr


def test_on_the_servers_machine_the_data_folder_is_enough(at: Mapping[str, str], tmp_path: Path) -> None:
    (tmp_path / "owner.key").write_text(OWNER_KEY + "\n")
    settings = {**at, "LONGWIRE_KEY": None, "LONGWIRE_DATA": str(tmp_path)}
    assert keys("list", **settings).returncode == DONE
