"""Flows through the API: which messages they match, how long those live, and how they are listed."""

import json
from typing import Any

import pytest
from tests.e2e.api_client import Api, Json, Road, connection_document, create_network_server, key_matchers
from tests.e2e.lrc import compact, report, uplink
from tests.e2e.sink import Sink

MODEL = {"pId": "elsys", "mId": "ers-co2", "ver": "1"}
APPLICATION = {"pId": "elsys", "mId": "generic", "ver": "2"}


class Routed:
    """A network server, and connections that lead to paths of one sink."""

    def __init__(self, api: Api, sink: Sink) -> None:
        self.api = api
        self.sink = sink
        self.server = create_network_server(api)["id"]
        self.count = 0

    def flow(self, path: str, *matchers: Json, **others: Any) -> Json:
        """Create a flow to a new connection; `others` are members of the entry that names the connection."""
        connection = self.api.create("/connections", connection_document(self.sink.url(path)))
        entry = {"connectionId": connection["id"], **others}
        return self.api.create("/flows", {"name": path, "matchers": list(matchers), "connectors": [entry]})

    def road(self, flow: Json) -> Road:
        connection_id = flow["connectors"][0]["connectionId"]
        return Road(self.api, self.server, f"/ingest/{self.server}", connection_id, flow["id"])

    def send(self, dev_eui: str, f_cnt: int, **members: Any) -> None:
        sent = uplink(dev_eui, f_cnt, **members)
        self.put(sent.body, sent.query)

    def put(self, body: bytes, query: str = "") -> None:
        answer = self.api.raw(
            "POST", f"/ingest/{self.server}?{query}", body, {"Content-Type": "application/json"}
        )
        assert answer.status == 200, answer

    def arrivals(self, count: int) -> list[tuple[str, int]]:
        """Return path and FCntUp of what arrived, once so much did."""
        return sorted(
            (got.target, json.loads(got.body)["DevEUI_uplink"]["FCntUp"]) for got in self.sink.wait_for(count)
        )


@pytest.fixture
def routed(api: Api, sink: Sink) -> Routed:
    return Routed(api, sink)


@pytest.fixture
def tag(dev_eui: str) -> str:
    """Return a tag that no other test uses."""
    return f"Site={dev_eui[-6:]}"


def thing(**needs: Any) -> Json:
    return {"type": "thing", **needs}


def test_a_thing_has_all_the_tags_in_any_case(routed: Routed, dev_eui: str, tag: str) -> None:
    routed.flow("/both", thing(tags=[tag.upper(), "b"]))
    routed.flow("/one", thing(tags=[tag]))
    routed.send(dev_eui, 1, CustomerData={"tags": [tag.lower(), "B", "c"]})
    routed.send(dev_eui, 2, CustomerData={"tags": [tag]})
    assert routed.arrivals(3) == [("/both", 1), ("/one", 1), ("/one", 2)]


def test_a_matcher_asks_for_model_and_application_as_the_driver_configuration_names_them(
    routed: Routed, dev_eui: str, tag: str
) -> None:
    model = {"producerId": "elsys", "moduleId": "ers-co2", "version": "1"}
    routed.flow("/all", thing(tags=[tag], model=model, application={"moduleId": "generic"}))
    routed.flow("/other", thing(tags=[tag], model=model, application={"producerId": "x"}))
    data = {"tags": [tag]}
    routed.send(dev_eui, 1, CustomerData=data, DriverCfg={"mod": MODEL, "app": APPLICATION})
    routed.send(dev_eui, 2, CustomerData=data, DriverCfg={"mod": MODEL | {"ver": "2"}, "app": APPLICATION})
    routed.send(dev_eui, 3, CustomerData=data, DriverCfg={"mod": MODEL, "app": APPLICATION})
    assert routed.arrivals(2) == [("/all", 1), ("/all", 3)]


def test_matchers_are_alternatives_and_a_flow_is_used_once(
    routed: Routed, dev_euis: list[str], tag: str
) -> None:
    routed.flow("/any", *key_matchers(dev_euis[:1]), thing(tags=[tag]), thing(tags=[f"{tag}x"]))
    routed.send(dev_euis[0], 1, CustomerData={"tags": [tag, f"{tag}x"]})
    routed.send(dev_euis[1], 2, CustomerData={"tags": [f"{tag}x"]})
    routed.send(dev_euis[2], 3, CustomerData={"tags": []})
    assert routed.arrivals(2) == [("/any", 1), ("/any", 2)]


def test_a_report_that_says_no_tags_goes_where_its_devices_uplinks_go(
    routed: Routed, dev_eui: str, tag: str
) -> None:
    road = routed.road(routed.flow("/tagged", thing(tags=[tag], model={"moduleId": "ers-co2"})))
    routed.send(dev_eui, 1, CustomerData={"tags": [tag]}, DriverCfg={"mod": MODEL})
    routed.put(report("DevEUI_notification", dev_eui, CustomerData={"name": "x"}, Type="join"))
    assert [each["kind"] for each in road.wait_for_outcomes("DELIVERED", "DELIVERED")] == [
        "DevEUI_uplink",
        "DevEUI_notification",
    ]


def test_tags_set_by_hand_count_instead_of_the_networks(routed: Routed, dev_eui: str, tag: str) -> None:
    routed.flow("/hand", thing(tags=[tag]))
    routed.api.create("/devices", {"devEUI": dev_eui, "tags": [tag.lower()]})
    routed.send(dev_eui, 1, CustomerData={"tags": ["z"]})
    assert routed.api.patch(f"/devices/{dev_eui}", {"tags": ["other"]}).status == 200
    routed.send(dev_eui, 2, CustomerData={"tags": [tag]})
    assert routed.api.patch(f"/devices/{dev_eui}", {"tags": None}).status == 200
    routed.send(dev_eui, 3, CustomerData={"tags": [tag]})
    assert routed.arrivals(2) == [("/hand", 1), ("/hand", 3)]


def test_a_flow_without_matchers_takes_what_no_other_flow_matches(
    routed: Routed, dev_euis: list[str], tag: str
) -> None:
    rest = routed.flow("/rest")
    try:
        routed.flow("/key", *key_matchers(dev_euis[:1]))
        routed.flow("/tag", thing(tags=[tag]))
        own = routed.api.create("/connections", connection_document(routed.sink.url("/own")))
        routed.api.create("/devices", {"devEUI": dev_euis[2], "connectionIds": [own["id"]]})
        routed.send(dev_euis[0], 1)
        routed.send(dev_euis[1], 2, CustomerData={"tags": [tag]})
        routed.send(dev_euis[1], 3, CustomerData={"tags": []})
        routed.send(dev_euis[2], 4)
        assert routed.arrivals(5) == [("/key", 1), ("/own", 4), ("/rest", 3), ("/rest", 4), ("/tag", 2)]
        second = routed.api.call("POST", "/flows", {"connectors": rest["connectors"]})
        assert second.status == 409, second
    finally:
        assert routed.api.call("DELETE", f"/flows/{rest['id']}").status == 204


def test_an_alarm_of_a_gateway_goes_only_to_the_flow_without_matchers_in_the_gateways_order(
    routed: Routed, dev_eui: str, tag: str
) -> None:
    rest = routed.flow("/rest")
    try:
        routed.flow("/tag", thing(tags=[tag]))
        for number in range(3):
            alarm = {"Time": f"2026-03-14T10:00:0{number}Z", "Lrrid": f"{dev_eui[-8:]}", "State": number}
            routed.put(compact({"BS_alarm": alarm}))
        got = routed.sink.wait_for(3)
        assert [each.target for each in got] == ["/rest"] * 3
        assert [json.loads(each.body)["BS_alarm"]["State"] for each in got] == [0, 1, 2]
    finally:
        assert routed.api.call("DELETE", f"/flows/{rest['id']}").status == 204


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([thing(tags=["a", "b"])], [thing(tags=["B", "A"])]),
        (
            [thing(model={"moduleId": "m"}), thing(tags=["x"])],
            [thing(tags=["X"]), thing(model={"moduleId": "m"})],
        ),
    ],
)
def test_two_flows_with_the_same_matchers_are_a_conflict(
    routed: Routed, dev_eui: str, one: list[Json], other: list[Json]
) -> None:
    key = key_matchers([dev_eui])
    routed.flow("/one", *key, *one)
    entry = routed.api.create("/connections", connection_document(routed.sink.url(), active=False))
    flow = {"matchers": [*other, *key], "connectors": [{"connectionId": entry["id"]}]}
    answer = routed.api.call("POST", "/flows", flow)
    assert answer.status == 409, answer
    assert answer.json()["data"]["field"] == "matchers"


def test_what_is_set_of_a_flow_is_shown_and_can_be_put_back(routed: Routed, dev_eui: str, tag: str) -> None:
    driver = {"producerId": "elsys", "version": "1"}
    flow = routed.flow(
        "/shown",
        *key_matchers([dev_eui]),
        thing(tags=[tag], model=driver, application=driver),
        id="mine",
        uplinkTimeValidity="90s",
        configuration={},
    )
    whole = flow | {"description": "d", "skipDecoding": True}
    answer = routed.api.call("PUT", f"/flows/{flow['id']}", whole)
    assert answer.status == 200, answer
    assert routed.api.get(f"/flows/{flow['id']}") == whole


def test_a_message_expires_by_the_shorter_of_connection_and_flow(routed: Routed, dev_eui: str) -> None:
    entry = {"uplinkTimeValidity": "1h"}
    road = routed.road(routed.flow("/old", *key_matchers([dev_eui]), **entry))
    routed.send(dev_eui, 1)  # its Time lies months back
    (expired,) = road.wait_for_outcomes("EXPIRED")
    assert "uplinkTimeValidity" in expired["reason"]
    flow = {"connectors": [{"connectionId": road.connection_id}]}
    assert routed.api.patch(f"/flows/{road.flow_id}", flow).status == 200
    routed.send(dev_eui, 2)
    road.wait_for_outcomes("EXPIRED", "DELIVERED")
    assert (
        routed.api.patch(
            f"/connections/{road.connection_id}", {"configuration": {"uplinkTimeValidity": "1h"}}
        ).status
        == 200
    )
    routed.send(dev_eui, 3)
    road.wait_for_outcomes("EXPIRED", "DELIVERED", "EXPIRED")


def test_flows_are_listed_newest_first_in_pages(routed: Routed, dev_euis: list[str]) -> None:
    made = [routed.flow(f"/{each}", *key_matchers([each]))["id"] for each in dev_euis]
    listed = routed.api.call("GET", "/flows?perPage=2&page=1")
    assert [each["id"] for each in listed.json()] == made[:0:-1]
    assert listed.headers["x-per-page"] == "2"
    assert int(listed.headers["x-total"]) >= 3
    assert 'rel="next"' in listed.headers["link"]
