"""The document of a connection: every member of specification 3, its default, its limits, its refusal by name."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.samples.effort import examples

from longwire.core.configuration import Changes, Connection, Run, parse_connection, plan_changes, to_document
from longwire.core.errors import NotAvailableYet
from longwire.core.fields import InvalidDocument
from longwire.core.http import Endpoint

SMALLEST: dict[str, Any] = {
    "connectorId": "actility-http-iot",
    "configuration": {"destinationURL": "https://sink/up"},
}


def document(**members: Any) -> dict[str, Any]:
    return SMALLEST | members


def configured(**members: Any) -> dict[str, Any]:
    return document(configuration=SMALLEST["configuration"] | members)


def refusal(body: Any, stored: Connection | None = None) -> list[tuple[str | None, str]]:
    with pytest.raises(InvalidDocument) as error:
        parse_connection(body, stored)
    return [(problem.field, str(problem)) for problem in error.value.problems]


def test_the_example_of_the_original_page_is_accepted() -> None:
    body = {
        "connectorId": "actility-http-iot",
        "name": "Actility to HTTP",
        "active": True,
        "debug": False,
        "brand": "Your Brand",
        "configuration": {
            "description": "Connection to HTTP",
            "destinationURL": "https://posthere.io/aca4-4e00-b7aa",
            "headers": {"X-Building": "BuildingA", "X-DevEUI": "{DevEUI}"},
            "strictMode": False,
        },
    }
    connection = parse_connection(body)

    assert (connection.name, connection.active, connection.brand) == ("Actility to HTTP", True, "Your Brand")
    assert connection.configuration.destination.endpoint == Endpoint("https", "posthere.io", 443)
    assert [(name, value.source) for name, value in connection.configuration.headers] == [
        ("X-Building", "BuildingA"),
        ("X-DevEUI", "{DevEUI}"),
    ]
    assert connection.configuration.description == "Connection to HTTP"


def test_absent_members_have_the_defaults_of_the_specification() -> None:
    assert to_document(parse_connection(SMALLEST)) == {
        "connectorId": "actility-http-iot",
        "active": True,
        "debug": False,
        "alarms": [],
        "upOperations": [],
        "dlOperations": [],
        "configuration": {
            "destinationURL": "https://sink/up",
            "headers": {},
            "strictMode": False,
            "createDevices": True,
            "sendMetadata": False,
            "sendRawDecodedFormat": False,
            "downlinkEnabled": True,
            "lrcCompliance": False,
            "maxInFlight": 16,
            "requestTimeout": "10s",
            "blamePeriod": 30,
            "reconnectStrategy": "NORMAL",
            "strictModeAction": "RESEND",
        },
    }


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        (None, "body", "expected an object, got null"),
        ([SMALLEST], "body", "expected an object, got an array"),
        ({}, "connectorId", "required"),
        (document(connectorId=""), "connectorId", "expected actility-http-iot"),
        (document(connectorId=1), "connectorId", "expected a string"),
        (document(connectorId="actility-mqtt-iot"), "connectorId", "expected actility-http-iot"),
        (document(name=""), "name", "must not be empty"),
        (document(name=1), "name", "expected a string"),
        (document(name=None), "name", "expected a string, got null"),
        (document(name="x" * 256), "name", "longer than 255 characters"),
        (document(active="true"), "active", "expected true or false"),
        (document(active=1), "active", "expected true or false"),
        (document(brand=[]), "brand", "expected a string"),
        (document(alarms={}), "alarms", "expected an array"),
        (document(alarms=[{}]), "alarms", "not available yet: alarms"),
        (document(upOperations="x"), "upOperations", "expected an array"),
        (document(upOperations=[{"type": "filter"}]), "upOperations", "not available yet: upOperations"),
        (document(dlOperations=[1]), "dlOperations", "not available yet: dlOperations"),
        ({"connectorId": "actility-http-iot"}, "configuration", "required"),
        (document(configuration=None), "configuration", "expected an object, got null"),
        (document(configuration=[]), "configuration", "expected an object, got an array"),
        (document(configuration={}), "configuration.destinationURL", "required"),
        (configured(destinationURL=""), "configuration.destinationURL", "must not be empty"),
        (configured(destinationURL=1), "configuration.destinationURL", "expected a string"),
        (configured(destinationURL="sink"), "configuration.destinationURL", "must begin with http"),
        (
            configured(destinationURL="http://h/" + "a" * 8192),
            "configuration.destinationURL",
            "longer than 8192",
        ),
        (configured(destinationURL="http://h/{"), "configuration.destinationURL", "position 1"),
        (configured(destinationURL="http://h/{$.}"), "configuration.destinationURL", "at position 4"),
        (configured(headers=[]), "configuration.headers", "expected an object"),
        (configured(headers={"X": 1}), "configuration.headers.X", "expected a string"),
        (configured(headers={"X": None}), "configuration.headers.X", "expected a string, got null"),
        (configured(headers={"X": "{$[?@.a]}"}), "configuration.headers.X", "at position 4"),
        (configured(strictMode="no"), "configuration.strictMode", "expected true or false"),
        (configured(description=1), "configuration.description", "expected a string"),
        (configured(createDevices=0), "configuration.createDevices", "expected true or false"),
        (configured(maxInFlight="16"), "configuration.maxInFlight", "expected an integer"),
        (configured(maxInFlight=True), "configuration.maxInFlight", "expected an integer"),
        (configured(maxInFlight=1.5), "configuration.maxInFlight", "expected an integer, got a number"),
        (configured(maxInFlight=0), "configuration.maxInFlight", "expected 1..256, got 0"),
        (configured(maxInFlight=257), "configuration.maxInFlight", "expected 1..256, got 257"),
        (configured(requestTimeout=10), "configuration.requestTimeout", "expected a string"),
        (configured(requestTimeout="0s"), "configuration.requestTimeout", "from 1s to 60s"),
        (configured(requestTimeout="61s"), "configuration.requestTimeout", "from 1s to 60s"),
        (configured(requestTimeout="2m"), "configuration.requestTimeout", "from 1s to 60s"),
        (configured(blamePeriod="30s"), "configuration.blamePeriod", "expected an integer"),
        (configured(blamePeriod=-1), "configuration.blamePeriod", "expected 0..86400, got -1"),
    ],
)
def test_a_wrong_member_is_refused_by_its_path(body: Any, field: str, words: str) -> None:
    told = refusal(body)

    assert told[0][0] == field
    assert words in told[0][1]


NOT_BUILT = {
    "maxRequestsPerSecond": 5,
    "strictModeAction": "CLOSE",
    "tls": {"verify": False},
    "sendMetadata": True,
    "sendRawDecodedFormat": True,
    "uplinkTimeValidity": "1m",
    "downlinkEnabled": False,
    "downlinkAsId": "x",
    "downlinkAsKey": "x",
    "downlinkPort": 1,
    "reconnectStrategy": "CALM",
    "proxy": {"hostname": "http://h:1"},
    "signingSecret": "whsec_x",
}


@pytest.mark.parametrize("name", sorted(NOT_BUILT))
def test_what_is_not_built_yet_is_built_or_refused_by_name_and_never_ignored(name: str) -> None:
    try:
        connection = parse_connection(configured(**{name: NOT_BUILT[name]}))
    except InvalidDocument as error:
        (problem,) = error.problems
        assert problem.field is not None
        assert problem.field.startswith(f"configuration.{name}")
        return
    assert to_document(connection)["configuration"][name] == NOT_BUILT[name]


def test_the_refusal_of_what_is_not_built_yet_has_its_own_code_and_words() -> None:
    with pytest.raises(InvalidDocument, match=r"^not available yet: upOperations$") as error:
        parse_connection(document(upOperations=[{"type": "filter"}]))
    assert error.value.code == NotAvailableYet.code


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (document(proxy={}), "proxy: unknown member; did you mean configuration.proxy?"),
        (document(headers={}), "headers: unknown member; did you mean configuration.headers?"),
        (
            document(DestinationUrl=""),
            "DestinationUrl: unknown member; did you mean configuration.destinationURL?",
        ),
        (document(Active=True), "Active: unknown member; did you mean active?"),
        (document(ownerId="x"), "ownerId: unknown member"),
        (configured(Headers={}), "configuration.Headers: unknown member; did you mean headers?"),
        (configured(name="x"), "configuration.name: unknown member; did you mean name?"),
        (configured(strictmode=True), "configuration.strictmode: unknown member; did you mean strictMode?"),
        (configured(maxinflight=1), "configuration.maxinflight: unknown member; did you mean maxInFlight?"),
        (configured(secret="x"), "configuration.secret: unknown member"),
    ],
)
def test_an_unknown_member_is_refused_with_a_hint_where_one_is_near(body: Any, message: str) -> None:
    assert [text for _, text in refusal(body)] == [message]


def test_what_get_gave_can_be_put_back() -> None:
    read_only = {
        "id": "7",
        "state": "OPENED",
        "startupTime": "x",
        "downlinkUrl": "x",
        "stateReason": "x",
        "stateSince": "x",
        "nextReconnectTime": None,
        "lag": 3,
        "updatedAt": "x",
    }
    assert parse_connection(SMALLEST | read_only) == parse_connection(SMALLEST)


def test_every_wrong_member_is_told_at_once() -> None:
    body = document(
        name="", active=1, configuration={"destinationURL": "x", "headers": {"Host": "a"}, "tsl": {}}
    )

    assert [field for field, _ in refusal(body)] == [
        "name",
        "active",
        "configuration.tsl",
        "configuration.destinationURL",
        "configuration.headers.Host",
    ]


HEADER_NAMES = st.from_regex(r"X-[A-Za-z0-9!#$%&'*+.^_`|~-]{1,8}", fullmatch=True)
HEADER_VALUES = st.text(max_size=20).map(
    lambda text: "".join("" if character in "\r\n\0{}" else character for character in text) + "{DevEUI}"
)
BODIES = st.fixed_dictionaries(
    {
        "connectorId": st.just("actility-http-iot"),
        "configuration": st.fixed_dictionaries(
            {
                "destinationURL": st.sampled_from(
                    ["http://sink", "https://sink:1/é?{DevEUI}", "http://[::1]/{{"]
                )
            },
            optional={
                "headers": st.dictionaries(HEADER_NAMES, HEADER_VALUES, max_size=4).filter(
                    lambda headers: len({name.lower() for name in headers}) == len(headers)
                ),
                "strictMode": st.booleans(),
                "description": st.text(max_size=20),
                "createDevices": st.booleans(),
                "maxInFlight": st.integers(1, 256),
                "requestTimeout": st.integers(1, 60).map(lambda seconds: f"{seconds}s"),
                "blamePeriod": st.integers(0, 86400),
            },
        ),
    },
    optional={
        "name": st.text(min_size=1, max_size=255),
        "active": st.booleans(),
        "brand": st.text(max_size=20),
    },
)


@given(BODIES)
@examples(100)
def test_a_connection_reads_back_from_its_document_and_nothing_sent_is_lost(body: dict[str, Any]) -> None:
    connection = parse_connection(body)
    shown = to_document(connection)

    assert parse_connection(shown) == connection
    assert to_document(parse_connection(shown)) == shown
    assert {name: shown[name] for name in body if name != "configuration"} == {
        name: value for name, value in body.items() if name != "configuration"
    }
    sent = body["configuration"]
    assert {name: shown["configuration"][name] for name in sent} == sent


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=9),
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(
                st.sampled_from(
                    ["connectorId", "name", "configuration", "destinationURL", "headers", "Host", "X"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=8,
    )
)
@examples(150)
def test_no_document_makes_anything_but_a_refusal(body: object) -> None:
    for told in (refusal(body), refusal(document(configuration=body))):
        assert all(field and text for field, text in told)


@pytest.mark.parametrize(
    ("running", "desired", "stop", "start"),
    [
        ({}, {}, (), ()),
        ({}, {1: 1}, (), (1,)),
        ({1: 1}, {1: 1}, (), ()),
        ({1: 1}, {}, (1,), ()),
        ({1: 1, 2: 5}, {1: 2, 2: 5, 3: 1}, (1,), (1, 3)),  # a new revision: stop, then start
        ({1: 3}, {1: 2}, (1,), (1,)),
    ],
)
def test_only_lanes_whose_revision_changed_are_stopped_and_started(
    running: dict[int, int], desired: dict[int, int], stop: tuple[int, ...], start: tuple[int, ...]
) -> None:
    assert plan_changes(_runs(running), _runs(desired)) == Changes(stop, start)


def _runs(revisions: dict[int, int]) -> dict[int, Run]:
    return {connection_id: Run(revision) for connection_id, revision in revisions.items()}


def test_a_lane_that_was_restarted_by_command_is_stopped_and_started() -> None:
    assert plan_changes({1: Run(3, 0)}, {1: Run(3, 1)}) == Changes((1,), (1,))
