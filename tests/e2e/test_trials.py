"""Preview shows what would be sent and sends nothing; a test sends one message past everything else."""

import json

import pytest
from tests.e2e.api_client import Answer, Api, Json, build_road, connection_document
from tests.e2e.lrc import uplink
from tests.e2e.sink import CLOSE, OK, Reply, Sink

SECRET = "Bearer of-the-tests"
HEADERS = {"Authorization": SECRET, "X-Thing": "{DevEUI}", "X-Site": "{CustomerData.site}"}


def preview(api: Api, **members: object) -> Answer:
    return api.call("POST", "/connections/preview", members)


def send_test(api: Api, connection_id: str, document: Json | None = None) -> Answer:
    return api.call("POST", f"/connections/{connection_id}/test", document)


def create(api: Api, url: str, **members: object) -> str:
    return str(api.create("/connections", {**connection_document(url, headers=HEADERS), **members})["id"])


def test_a_preview_of_a_new_connection_shows_the_request_and_sends_nothing(
    api: Api, sink: Sink, dev_eui: str
) -> None:
    before = api.ids("/connections")

    answer = preview(
        api,
        connection=connection_document(sink.url("/things/{DevEUI}"), headers=HEADERS),
        message=uplink(dev_eui, 7).document,
    )

    assert answer.status == 200, answer
    shown = answer.json()
    assert (shown["method"], shown["url"]) == ("POST", sink.url(f"/things/{dev_eui}"))
    headers = shown["headers"]
    assert (headers["Authorization"], headers["X-Thing"], headers["X-Site"]) == ("*****", dev_eui, "")
    assert shown["warnings"] == [
        "headers.X-Site: {CustomerData.site} finds nothing in this message and becomes empty"
    ]
    body = json.loads(shown["body"])["DevEUI_uplink"]
    assert body["FCntUp"] == 7
    assert body["downlinkUrl"].endswith("/iot-flow/downlinkMessages/")
    assert SECRET not in answer.body.decode()
    assert sink.connections == 0
    assert api.ids("/connections") == before


def test_a_preview_shows_what_a_connection_really_sends(api: Api, sink: Sink, dev_eui: str) -> None:
    road = build_road(api, connection_document(sink.url("/{FPort}"), headers=HEADERS), [dev_eui])
    road.send(uplink(dev_eui, 1))
    road.wait_for_outcomes("DELIVERED")
    (got,) = sink.requests

    shown = preview(api, connectionId=road.connection_id, message=uplink(dev_eui, 1).document).json()

    assert json.loads(shown["body"]) == json.loads(got.body)
    assert shown["url"].endswith(got.target)
    assert {name: value for name, value in shown["headers"].items() if name.startswith("X-")} == {
        "X-Thing": dev_eui,
        "X-Site": "",
    }


def test_a_preview_keeps_number_spelling_and_takes_a_sample_without_a_message(
    api: Api, sink: Sink, dev_eui: str
) -> None:
    connection_id = create(api, sink.url())
    body = f'{{"connectionId":"{connection_id}","message":{{"DevEUI_uplink":{{"DevEUI":"{dev_eui}","n":1.50}}}}}}'
    assert '"n":1.50' in api.send("POST", "/connections/preview", body.encode()).json()["body"]

    shown = preview(api, connectionId=connection_id).json()

    assert json.loads(shown["body"])["DevEUI_uplink"]["CustomerData"]["name"] == "TEST"


def test_a_preview_of_a_change_keeps_the_masked_secrets(api: Api, sink: Sink) -> None:
    connection_id = create(api, sink.url())
    changed = connection_document(sink.url("/new"), headers={"Authorization": "*****"})

    alone = preview(api, connection=changed)
    both = preview(api, connection=changed, connectionId=connection_id)

    assert (alone.status, alone.json()["data"]["field"]) == (400, "configuration.headers.Authorization")
    assert both.json()["headers"]["Authorization"] == "*****"


@pytest.mark.parametrize(
    ("document", "status", "field"),
    [
        ({}, 400, "connection"),
        ({"connectionId": "999999"}, 404, None),
        ({"connectionId": "x"}, 400, "connectionId"),
        ({"connectionId": 1}, 400, "connectionId"),
        ({"connection": {"connectorId": "actility-http-iot"}}, 400, "configuration"),
        ({"connection": connection_document("http://a.example/"), "message": 1}, 400, "message"),
        (
            {"connection": connection_document("http://a.example/"), "message": {"DevEUI_uplink": {}}},
            400,
            "message.DevEUI_uplink.DevEUI",
        ),
        ({"connection": connection_document("http://a.example/"), "messsage": {}}, 400, "messsage"),
    ],
)
def test_a_preview_that_makes_no_sense_is_refused_by_name(
    api: Api, document: Json, status: int, field: str | None
) -> None:
    answer = api.call("POST", "/connections/preview", document)
    assert (answer.status, answer.json()["data"].get("field")) == (status, field), answer


def test_what_the_connection_would_leave_out_is_told(api: Api, sink: Sink, dev_eui: str) -> None:
    connection = connection_document(sink.url(), sendMetadata=True)
    message = {"DevEUI_location": {"DevEUI": dev_eui}}
    answer = preview(api, connection=connection, message=message)
    assert answer.status == 400
    assert "left out: sendMetadata" in answer.json()["message"]


def test_a_test_sends_a_marked_sample_and_answers_with_the_attempt(api: Api, sink: Sink) -> None:
    sink.answer = lambda _: Reply(201)
    connection_id = create(api, sink.url("/{DevEUI}"))

    answer = send_test(api, connection_id)

    assert answer.status == 200, answer
    attempt = answer.json()
    assert (attempt["number"], attempt["trigger"], attempt["status"]) == (1, "test", 201)
    assert attempt["requestHeaders"]["Longwire-Test"] == "true"
    (got,) = sink.requests
    assert (got.header("Longwire-Test"), got.header("Authorization")) == ("true", SECRET)
    assert got.target == "/0000000000000000"
    assert json.loads(got.body)["DevEUI_uplink"]["CustomerID"] == "TEST"
    (row,) = api.get(f"/connections/{connection_id}/deliveries")
    assert (row["test"], row["outcome"], row["messageId"]) == (True, "DELIVERED", got.message_id)


def test_a_test_of_a_connection_that_is_not_active_touches_neither_state_nor_backlog(
    api: Api, sink: Sink, dev_eui: str
) -> None:
    road = build_road(api, connection_document(sink.url(), active=False), [dev_eui])
    road.wait_for_state("DEACTIVATED")
    road.send(uplink(dev_eui, 1))
    before = road.connection

    assert send_test(api, road.connection_id, {"message": uplink(dev_eui, 5).document}).status == 200

    assert road.connection == before
    assert [(each["fCnt"], each["outcome"]) for each in road.deliveries()] == [
        (1, "QUEUED"),
        (5, "DELIVERED"),
    ]


@pytest.mark.parametrize(
    ("reply", "status", "cause", "words"), [(Reply(503), 503, None, "503"), (CLOSE, None, "reset", "reset")]
)
def test_a_test_that_fails_says_why_and_neither_closes_the_connection_nor_is_sent_again(  # noqa: PLR0913, PLR0917
    api: Api, sink: Sink, dev_eui: str, reply: Reply, status: int | None, cause: str | None, words: str
) -> None:
    sink.answer = lambda _: OK
    road = build_road(api, connection_document(sink.url(), strictMode=True), [dev_eui])
    opened = road.wait_for_state("OPENED")
    sink.answer = lambda _: reply

    attempt = send_test(api, road.connection_id).json()

    assert (attempt["status"], attempt["cause"]) == (status, cause)
    assert attempt["advice"]
    assert road.connection == opened
    (row,) = road.deliveries()
    assert (row["outcome"], row["test"]) == ("LOST", True)
    assert words in row["reason"]
    metrics = api.get(f"/connections/{road.connection_id}/metrics")
    assert (metrics["uplinksLast1h"], metrics["uplinksLast1hLost"], metrics["lag"]) == (0, 0, 0)
    assert api.call("POST", f"/deliveries/{row['id']}/replay").status == 409
    order = {"filter": {"connectionId": road.connection_id}, "dryRun": True}
    assert api.call("POST", "/replays", order).json() == {"count": 0}


def test_a_test_that_makes_no_sense_is_refused_and_leaves_no_row(api: Api, sink: Sink) -> None:
    connection_id = create(api, sink.url())
    for document, field in (
        ({"message": {"nonsense": {}}}, "message"),
        ({"massage": {}}, "massage"),
    ):
        answer = send_test(api, connection_id, document)
        assert (answer.status, answer.json()["data"]["field"]) == (400, field)
    assert send_test(api, "999999").status == 404
    assert api.get(f"/connections/{connection_id}/deliveries") == []
