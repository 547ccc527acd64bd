"""`/apiKeys`: made, shown once, listed, used, revoked, and the last owner's kept."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.e2e.api_client import Api, Json
from tests.e2e.longwire_process import Longwire
from tests.e2e.test_bad_input import check_error
from tests.e2e.test_process import Maker
from tests.e2e.waiting import wait_until

READER: Json = {"name": "dashboard", "role": "Reader"}


def one(api: Api, key_id: str) -> Json | None:
    found: list[Json] = api.get("/apiKeys?perPage=5000")
    return next((each for each in found if each["id"] == key_id), None)


def test_a_key_is_shown_when_it_is_made_and_never_again(api: Api) -> None:
    answer = api.call("POST", "/apiKeys", READER)
    made = answer.json()

    assert answer.status == 201
    assert answer.headers["location"] == f"/iot-flow/v1/apiKeys/{made['id']}"
    assert answer.headers["cache-control"] == "no-store"
    assert set(made) == {"id", "name", "role", "createdAt", "expiresAt", "lastUsedAt", "key"}
    assert (made["name"], made["role"]) == ("dashboard", "Reader")
    assert api.with_key(made["key"]).call("GET", "/connections").status == 200
    listed = one(api, made["id"])
    assert listed is not None
    assert listed | {"lastUsedAt": None} == {name: value for name, value in made.items() if name != "key"}
    assert made["key"] not in str(api.get("/apiKeys"))


def test_a_deleted_key_is_dead_at_once(api: Api) -> None:
    made = api.create("/apiKeys", READER)

    answer = api.call("DELETE", f"/apiKeys/{made['id']}")

    assert (answer.status, answer.body) == (204, b"")
    check_error(api.with_key(made["key"]).call("GET", "/connections"), 401)
    assert one(api, made["id"]) is None
    check_error(api.call("DELETE", f"/apiKeys/{made['id']}"), 404)


def test_a_list_of_keys_is_paged_newest_first(api: Api) -> None:
    made = [api.create("/apiKeys", {**READER, "name": f"n{i}"})["id"] for i in range(3)]

    answer = api.call("GET", "/apiKeys?perPage=2")

    assert [each["id"] for each in answer.json()] == made[:0:-1]
    assert answer.headers["x-total"] == str(len(api.get("/apiKeys?perPage=5000")))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": None}, "name"),
        ({"name": ""}, "name"),
        ({"name": "n" * 256}, "name"),
        ({"role": None}, "role"),
        ({"role": "owner"}, "role"),
        ({"role": "Admin"}, "role"),
        ({"expiresAt": "tomorrow"}, "expiresAt"),
        ({"expiresAt": 5}, "expiresAt"),
        ({"expiresAt": "2020-01-01T00:00:00Z"}, "expiresAt"),
        ({"key": "my-own-key-0123456789"}, "key"),
    ],
)
def test_a_key_that_cannot_be_made_is_refused_by_its_field(api: Api, change: Json, field: str) -> None:
    before = api.ids("/apiKeys?perPage=5000")
    check_error(api.call("POST", "/apiKeys", READER | change), 400, field)
    assert api.ids("/apiKeys?perPage=5000") == before


def test_a_key_cannot_choose_what_only_the_server_gives(api: Api) -> None:  # AP-01
    chosen = {"id": "configured", "createdAt": "2020-01-01T00:00:00Z", "lastUsedAt": "2020-01-01T00:00:00Z"}
    made = api.create("/apiKeys", READER | chosen)
    assert {name: made[name] for name in chosen}.items().isdisjoint(chosen.items())


@pytest.mark.parametrize("missing", ["name", "role"])
def test_name_and_role_are_required(api: Api, missing: str) -> None:
    document = {name: value for name, value in READER.items() if name != missing}
    check_error(api.call("POST", "/apiKeys", document), 400, missing)


def test_the_key_that_is_set_by_the_operator_is_deleted_there(api: Api) -> None:
    error = check_error(api.call("DELETE", "/apiKeys/configured"), 409)
    assert "LONGWIRE_OWNER_KEY" in error["message"]


@pytest.fixture
def made_at_first_start(longwire: Maker) -> Longwire:
    """Give a server whose owner key is the one it made itself."""
    fresh: Longwire = longwire({"LONGWIRE_OWNER_KEY": None}).start()
    fresh.api = Api(fresh.port, (fresh.data / "owner.key").read_text().strip())
    return fresh


def test_the_last_owner_key_cannot_be_deleted(made_at_first_start: Longwire) -> None:
    api = made_at_first_start.api
    api.create("/apiKeys", READER)
    own = api.get("/apiKeys")[-1]["id"]
    check_error(api.call("DELETE", f"/apiKeys/{own}"), 409)

    second = api.create("/apiKeys", {"name": "second", "role": "Owner"})
    assert api.call("DELETE", f"/apiKeys/{own}").status == 204
    check_error(api.with_key(second["key"]).call("DELETE", f"/apiKeys/{second['id']}"), 409)


def test_two_owners_who_delete_each_other_at_once_do_not_both_succeed(made_at_first_start: Longwire) -> None:
    api = made_at_first_start.api
    for _ in range(5):
        first = api.get("/apiKeys")[-1]["id"]
        second = api.create("/apiKeys", {"name": "second", "role": "Owner"})
        callers = {second["id"]: api, first: api.with_key(second["key"])}
        with ThreadPoolExecutor(2) as threads:
            statuses = list(threads.map(delete_key, callers.items()))

        # The second one comes too late: its own key is gone, or what it deletes is the last.
        assert sorted(statuses) in ([204, 401], [204, 409]), statuses
        api = api if api.call("GET", "/apiKeys").status == 200 else api.with_key(second["key"])


def delete_key(order: tuple[str, Api]) -> int:
    key_id, api = order
    return api.call("DELETE", f"/apiKeys/{key_id}").status


def test_an_owner_key_that_expires_is_the_last_one_when_no_other_is_valid(
    made_at_first_start: Longwire,
) -> None:
    api = made_at_first_start.api
    soon = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    expiring = api.with_key(api.create("/apiKeys", {**READER, "role": "Owner", "expiresAt": soon})["key"])
    wait_until("it has expired", lambda: expiring.call("GET", "/apiKeys").status == 401)

    own = api.get("/apiKeys")[-1]["id"]
    check_error(api.call("DELETE", f"/apiKeys/{own}"), 409)


def test_keys_and_their_last_use_survive_a_restart(longwire: Maker) -> None:
    server = longwire().start()
    made = server.api.create("/apiKeys", READER)
    assert made["lastUsedAt"] is None
    assert server.api.with_key(made["key"]).call("GET", "/connections").status == 200
    used: Any = one(server.api, made["id"])
    assert used["lastUsedAt"] >= made["createdAt"]
    configured: Any = one(server.api, "configured")

    assert server.terminate()[0] == 0
    server.start()

    assert one(server.api, made["id"]) == used
    assert server.api.with_key(made["key"]).call("GET", "/connections").status == 200
    again: Any = one(server.api, "configured")
    assert again["createdAt"] == configured["createdAt"]


def test_the_last_use_is_on_disk_within_seconds(longwire: Maker) -> None:
    server = longwire().start()
    made = server.api.create("/apiKeys", READER)
    reader = server.api.with_key(made["key"])
    assert reader.call("GET", "/connections").status == 200
    used: Any = one(server.api, made["id"])

    wait_until("it is written", lambda: is_written(server, made["id"]), timeout_s=20)
    server.kill()
    server.start()

    assert one(server.api, made["id"]) == used


def is_written(server: Longwire, key_id: str) -> bool:
    """Return whether the file has a last use of a key: read beside the server, as a backup would."""
    with closing(sqlite3.connect(f"file:{server.data / 'longwire.db'}?mode=ro", uri=True)) as sql:
        row = sql.execute("SELECT last_used_at FROM api_key WHERE id = ?", [key_id]).fetchone()
        return row[0] is not None


def test_a_start_without_a_valid_owner_key_makes_one(longwire: Maker) -> None:
    server = longwire().start()
    reader = server.api.create("/apiKeys", READER)["key"]
    assert server.terminate()[0] == 0

    server.settings["LONGWIRE_OWNER_KEY"] = None
    server.start()

    owner = Api(server.port, (server.data / "owner.key").read_text().strip())
    assert owner.call("GET", "/apiKeys").status == 200
    assert owner.with_key(reader).call("GET", "/connections").status == 200


def test_a_made_owner_key_may_be_set_as_the_configured_one(made_at_first_start: Longwire) -> None:
    server, key = made_at_first_start, made_at_first_start.api.key
    assert server.terminate()[0] == 0
    server.settings["LONGWIRE_OWNER_KEY"] = key

    server.start()

    assert [each["id"] for each in server.api.get("/apiKeys")] == ["configured"]
