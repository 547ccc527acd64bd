"""The document of a network server: what is read, what is refused by name, what is a secret."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.samples.effort import examples

from longwire.core.fields import InvalidDocument
from longwire.core.network_server import NetworkServer, map_secrets, mask, parse_network_server, to_document

KEY = "46ab678cd45df4a4a7e4b375eacd096a"
SMALLEST = {"name": "LRC", "type": "thingpark"}
SERVERS = st.builds(
    NetworkServer,
    st.text(min_size=1, max_size=255),
    st.none() | st.text("0123456789abcdefABCDEF", min_size=32, max_size=32),
    st.none() | st.integers(1, 86400).map(lambda seconds: timedelta(seconds=seconds)),
    st.booleans(),
)


def refusal(document: Any) -> list[tuple[str | None, str]]:
    with pytest.raises(InvalidDocument) as error:
        parse_network_server(document)
    return [(problem.field, str(problem)) for problem in error.value.problems]


def configured(**members: Any) -> dict[str, Any]:
    return SMALLEST | {"configuration": members}


def test_the_smallest_network_server_accepts_unsigned_messages() -> None:
    assert parse_network_server(SMALLEST) == NetworkServer("LRC", None, None, accept_unsigned_reports=True)


def test_every_member_is_read() -> None:
    document = configured(asKey=KEY, maxTimeDeviation="5m", acceptUnsignedReports=False)

    assert parse_network_server(document | {"autoRegisterDevices": True}) == NetworkServer(
        "LRC", KEY, timedelta(minutes=5), accept_unsigned_reports=False
    )


def test_what_get_gave_can_be_sent_back() -> None:
    read_only = {
        "id": "x",
        "uplinkUrl": "http://h/",
        "lastUplinkAt": None,
        "createdAt": "2026-03-14T10:00:00Z",
    }

    assert parse_network_server(SMALLEST | read_only) == parse_network_server(SMALLEST)


@pytest.mark.parametrize(
    ("document", "field", "words"),
    [
        (None, "body", "expected an object, got null"),
        ([], "body", "expected an object, got an array"),
        ({"type": "thingpark"}, "name", "required"),
        ({"name": "x"}, "type", "required"),
        (SMALLEST | {"name": ""}, "name", "must not be empty"),
        (SMALLEST | {"name": "x" * 256}, "name", "longer than 255"),
        (SMALLEST | {"name": 1}, "name", "expected a string"),
        (SMALLEST | {"type": 1}, "type", "expected a string"),
        (SMALLEST | {"type": "Thingpark"}, "type", "expected thingpark, got 'Thingpark'"),
        (SMALLEST | {"type": "chirpstack"}, "type", "not available yet: type: chirpstack"),
        (SMALLEST | {"type": "thethingsstack"}, "type", "not available yet: type: thethingsstack"),
        (SMALLEST | {"autoRegisterDevices": 1}, "autoRegisterDevices", "expected true or false"),
        (SMALLEST | {"configuration": []}, "configuration", "expected an object"),
        (SMALLEST | {"asKey": KEY}, "asKey", "did you mean configuration.asKey?"),
        (
            SMALLEST | {"maxTimeDeviation": "1s"},
            "maxTimeDeviation",
            "did you mean configuration.maxTimeDeviation?",
        ),
        (SMALLEST | {"Name": "x"}, "Name", "did you mean name?"),
        (configured(asKey=1), "configuration.asKey", "expected a string"),
        (configured(asKey=None), "configuration.asKey", "expected a string, got null"),
        (configured(asKey=""), "configuration.asKey", "expected 32 hexadecimal digits"),
        (configured(asKey=KEY[:-1]), "configuration.asKey", "expected 32 hexadecimal digits"),
        (configured(asKey=KEY + "0"), "configuration.asKey", "expected 32 hexadecimal digits"),
        (configured(asKey=KEY + "\n"), "configuration.asKey", "expected 32 hexadecimal digits"),
        (configured(asKey=KEY[:-1] + "g"), "configuration.asKey", "expected 32 hexadecimal digits"),
        (configured(asKey="*****"), "configuration.asKey", "keeps a stored value, and there is none"),
        (configured(maxTimeDeviation=60), "configuration.maxTimeDeviation", "expected a string"),
        (configured(maxTimeDeviation="0s"), "configuration.maxTimeDeviation", "from 1s to 86400s"),
        (configured(maxTimeDeviation="25h"), "configuration.maxTimeDeviation", "from 1s to 86400s"),
        (
            configured(acceptUnsignedReports="no"),
            "configuration.acceptUnsignedReports",
            "expected true or false",
        ),
        (configured(asId="TWA 1"), "configuration.asId", "without '&' and spaces"),
        (configured(lrcUrl="h/down"), "configuration.lrcUrl", "must begin with http"),
        (configured(lrcUrl="https://h/down?a=1"), "configuration.lrcUrl", "without a query"),
        (configured(lrcUrl="https://h/{DevEUI}"), "configuration.lrcUrl", "without patterns"),
        (configured(askey=KEY), "configuration.askey", "did you mean asKey?"),
        (configured(bearerToken="x"), "configuration.bearerToken", "unknown member"),
    ],
)
def test_what_is_wrong_is_refused_by_its_path(document: Any, field: str, words: str) -> None:
    told = refusal(document)

    assert told[0][0] == field
    assert words in told[0][1]


@given(SERVERS)
@examples(50)
def test_a_network_server_reads_back_from_its_document(server: NetworkServer) -> None:
    assert parse_network_server(to_document(server)) == server


@given(SERVERS)
@examples(50)
def test_only_the_tunnel_key_is_a_secret(server: NetworkServer) -> None:
    document = to_document(server)
    seen: list[tuple[str, str]] = []

    changed = map_secrets(document, lambda path, value: seen.append((path, value)) or value[::-1])  # type: ignore[func-returns-value]

    assert seen == ([] if server.as_key is None else [("configuration.asKey", server.as_key)])
    assert map_secrets(changed, lambda _path, value: value[::-1]) == document == to_document(server)
    masked = mask(document)["configuration"]
    assert masked.get("asKey") == (None if server.as_key is None else "*****")
    assert {**masked, "asKey": 0} == {**document["configuration"], "asKey": 0}
