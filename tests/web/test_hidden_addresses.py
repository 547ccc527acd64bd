"""What `hide_downlink_addresses` finds, and what it leaves."""

import json

import pytest

from longwire.web.shapes import hide_downlink_addresses

UUID = "3f2b8a64-54c1-4b0e-9a53-0b6e6b6d5c11"
OURS = f"http://h:8080/iot-flow/downlinkMessages/{UUID}"
NESTED = json.dumps({"a": json.dumps({"downlinkUrl": "http://x/y/secret", "b": 1})})


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        (f'{{"downlinkUrl":"{OURS}"}}', '{"downlinkUrl":"http://h:8080/iot-flow/downlinkMessages/*****"}'),
        ('{"downlinkURL" : "http://x/secret"}', '{"downlinkURL" : "http://x/*****"}'),
        ('{"downlinkUrl":"https://x/a?token=b/secret"}', '{"downlinkUrl":"https://x/*****"}'),
        (r'{"downlinkUrl":"http:\/\/x\/secret"}', r'{"downlinkUrl":"http:\/\/x\/*****"}'),
        ('{"downlinkUrl":"secret"}', '{"downlinkUrl":"*****"}'),
        ('{"downlinkUrl":""}', '{"downlinkUrl":"*****"}'),
        (NESTED, NESTED.replace("secret", "*****")),
        (f'{{"X-Down":"{OURS}"}}', '{"X-Down":"http://h:8080/iot-flow/downlinkMessages/*****"}'),
        (
            f'"/d?u=http%3A%2F%2Fh%2FdownlinkMessages%2F{UUID}"',
            '"/d?u=http%3A%2F%2Fh%2FdownlinkMessages%2F*****"',
        ),
    ],
)
def test_the_end_of_an_address_is_hidden(text: str, hidden: str) -> None:
    assert hide_downlink_addresses(text.encode()).decode() == hidden


@pytest.mark.parametrize(
    "text",
    [
        '{"downlinkUrl":null,"a":"/x/y"}',
        '{"uplinkUrl":"http://x/ingest/1"}',
        '{"id":"downlinkMessages/1"}',
        "",
    ],
)
def test_everything_else_is_left(text: str) -> None:
    assert hide_downlink_addresses(text.encode()).decode() == text
