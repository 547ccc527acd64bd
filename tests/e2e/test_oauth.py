"""OAuth2 client credentials: a key for an access token that ends with it (RFC 6749)."""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
from tests.e2e.api_client import Answer, Api, Json
from tests.e2e.test_bad_input import check_error
from tests.e2e.test_process import Maker
from tests.e2e.waiting import wait_until

PATHS = ("/oauth/token", "/oauth/tokenSwagger")
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
GRANT = {"grant_type": "client_credentials"}


@pytest.fixture
def client(api: Api) -> Json:
    return api.create("/apiKeys", {"name": "client", "role": "Writer"})


def ask(
    api: Api, form: Mapping[str, str], path: str = PATHS[0], headers: Mapping[str, str] | None = None
) -> Answer:
    return api.with_key(None).send("POST", path, urlencode(form).encode(), {**FORM, **(headers or {})})


def credentials(client: Json) -> dict[str, str]:
    return {"client_id": client["id"], "client_secret": client["key"]}


def basic(client_id: str, client_secret: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(f'{client_id}:{client_secret}'.encode()).decode()}"}


def token_of(api: Api, client: Json) -> str:
    answer = ask(api, GRANT | credentials(client))
    assert answer.status == 200, answer
    return str(answer.json()["access_token"])


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("way", ["form", "basic"])
def test_a_client_gets_a_token_that_does_what_its_key_may(
    api: Api, client: Json, path: str, way: str
) -> None:
    if way == "form":
        answer = ask(api, GRANT | credentials(client), path)
    else:
        answer = ask(api, GRANT, path, basic(client["id"], client["key"]))

    assert answer.status == 200, answer
    assert answer.headers["cache-control"] == "no-store"
    document = answer.json()
    token = document.pop("access_token")
    assert document == {"token_type": "Bearer", "expires_in": 3600}
    bearer = api.with_key(token)
    assert bearer.call("GET", "/connections").status == 200
    assert bearer.call("POST", "/flows", {}).status == 400
    check_error(bearer.call("DELETE", "/flows/1"), 403)
    for secret in (client["key"], client["id"]):
        assert secret not in token


REFUSED: dict[str, tuple[dict[str, str], Mapping[str, str], int, str]] = {
    "no grant": ({"grant_type": ""}, {}, 400, "unsupported_grant_type"),
    "another grant": ({"grant_type": "password"}, {}, 400, "unsupported_grant_type"),
    "unknown client": ({"client_id": "x"}, {}, 401, "invalid_client"),
    "wrong secret": ({"client_secret": "x"}, {}, 401, "invalid_client"),
    "no secret": ({"client_secret": ""}, {}, 401, "invalid_client"),
    "both ways": ({}, basic("a", "b"), 400, "invalid_request"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_request_for_a_token_is_refused_in_the_words_of_rfc_6749(api: Api, client: Json, name: str) -> None:
    form, headers, status, word = REFUSED[name]
    answer = ask(api, GRANT | credentials(client) | form, headers=headers)
    assert check_error(answer, status)["data"]["error"] == word
    assert ("www-authenticate" in answer.headers) == (status == 401)


def test_the_grant_is_required(api: Api, client: Json) -> None:
    error = check_error(ask(api, credentials(client)), 400, "grant_type")
    assert error["data"]["error"] == "invalid_request"


def test_a_field_may_stand_only_once(api: Api, client: Json) -> None:
    body = urlencode([*GRANT.items(), *GRANT.items(), *credentials(client).items()]).encode()
    answer = api.with_key(None).send("POST", PATHS[0], body, FORM)
    assert check_error(answer, 400)["data"]["error"] == "invalid_request"


@pytest.mark.parametrize("header", ["Basic", "Basic !", "Basic QQ==", "Bearer x", "Digest x"])
def test_an_authorization_that_is_no_client_is_refused(api: Api, header: str) -> None:
    answer = ask(api, GRANT, headers={"Authorization": header})
    assert check_error(answer, 401)["data"]["error"] == "invalid_client"
    assert answer.headers["www-authenticate"].startswith("Basic")


def test_credentials_in_the_query_or_as_json_are_not_read(api: Api, client: Json) -> None:
    fields = GRANT | credentials(client)
    in_query = api.with_key(None).send("POST", f"{PATHS[0]}?{urlencode(fields)}", b"", FORM)
    check_error(in_query, 401)
    check_error(api.with_key(None).call("POST", PATHS[0], fields), 415)


def test_anothers_secret_does_not_open_a_client(api: Api, client: Json) -> None:
    other = api.create("/apiKeys", {"name": "other", "role": "Owner"})
    check_error(ask(api, GRANT | {"client_id": client["id"], "client_secret": other["key"]}), 401)


def test_a_token_gives_no_new_token(api: Api, client: Json) -> None:
    token = token_of(api, client)
    check_error(ask(api, GRANT | {"client_id": client["id"], "client_secret": token}), 401)


def test_a_changed_token_is_worth_nothing(api: Api, client: Json) -> None:
    token = token_of(api, client)
    middle = len(token) // 2
    changed = token[:middle] + ("A" if token[middle] != "A" else "B") + token[middle + 1 :]
    for wrong in (changed, token[:-4], token + "AAAA", "lwt_", f"lwt_{client['key']}"):
        check_error(api.with_key(wrong).call("GET", "/connections"), 401)


def test_a_token_dies_with_its_key(api: Api, client: Json) -> None:
    token = token_of(api, client)
    assert api.call("DELETE", f"/apiKeys/{client['id']}").status == 204
    check_error(api.with_key(token).call("GET", "/connections"), 401)


def test_a_token_lives_no_longer_than_its_key(api: Api) -> None:
    soon = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
    client = api.create("/apiKeys", {"name": "brief", "role": "Reader", "expiresAt": soon})
    answer = ask(api, GRANT | credentials(client)).json()
    assert answer["expires_in"] < 3
    bearer = api.with_key(answer["access_token"])
    wait_until("it ends", lambda: bearer.call("GET", "/connections").status == 401)


def test_a_token_survives_a_restart_but_not_another_owner_key(
    longwire: Maker,
) -> None:
    server = longwire().start()
    owner = {"id": "configured", "key": server.settings["LONGWIRE_OWNER_KEY"]}
    client = server.api.create("/apiKeys", {"name": "client", "role": "Reader"})
    tokens = [token_of(server.api, each) for each in (owner, client)]

    def statuses() -> list[int]:
        assert server.terminate()[0] == 0
        server.start()
        return [server.api.with_key(token).call("GET", "/connections").status for token in tokens]

    assert statuses() == [200, 200]
    server.settings["LONGWIRE_OWNER_KEY"] = "another-owner-key-0123456789"
    assert statuses() == [401, 200]
