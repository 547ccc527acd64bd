"""A masked secret stays where it was sent before, unless an Owner says otherwise."""

from typing import Any

import pytest

from longwire.core.configuration import mask, parse_connection, to_document
from longwire.core.errors import InvalidInput
from longwire.core.fields import MASK
from longwire.core.kept_secrets import check_kept_secrets

URL = "https://a.example/hook"
PROXY = {"hostname": "http://proxy:3128", "username": "u", "password": "p"}


def document(**configuration: Any) -> dict[str, Any]:
    whole = {"destinationURL": URL, **configuration}
    return {"connectorId": "actility-http-iot", "configuration": whole}


BEFORE = parse_connection(document(headers={"X-Api-Key": "secret", "X-Thing": "{DevEUI}"}, proxy=PROXY))
MASKED = mask(to_document(BEFORE))["configuration"]


def changed(**configuration: Any) -> dict[str, Any]:
    """Return what a GET gave with these members changed; None leaves one out."""
    whole = {**MASKED, **configuration}
    return document(**{name: value for name, value in whole.items() if value is not None})


def check(body: dict[str, Any]) -> None:
    check_kept_secrets(body, BEFORE, parse_connection(body, BEFORE))


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"destinationURL": "https://a.example/other?x=1", "strictMode": True},
        {"destinationURL": "https://a.example:443/hook"},
        {"proxy": {"hostname": "proxy:3128/", "username": "v", "password": MASK}},
        {"destinationURL": "https://b.example/", "headers": {"X-Api-Key": "again"}, "proxy": {**PROXY}},
        {"destinationURL": "https://b.example/", "headers": {"X-Thing": MASK}, "proxy": {**PROXY}},
        {"destinationURL": "https://b.example/", "headers": None, "proxy": {**PROXY}},
    ],
)
def test_what_goes_nowhere_else_or_is_given_again_is_accepted(change: dict[str, Any]) -> None:
    check(changed(**change))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"destinationURL": "https://evil.example/hook"}, "configuration.headers.x-api-key"),
        ({"destinationURL": "https://a.example:8443/hook"}, "configuration.headers.x-api-key"),
        ({"destinationURL": "http://a.example/hook"}, "configuration.headers.x-api-key"),
        ({"proxy": {**PROXY, "hostname": "http://evil:3128"}}, "configuration.headers.x-api-key"),
        ({"proxy": {**PROXY, "hostname": "http://proxy:3129"}}, "configuration.headers.x-api-key"),
        ({"proxy": {**PROXY, "hostname": "socks5://proxy:3128"}}, "configuration.headers.x-api-key"),
        ({"proxy": None}, "configuration.headers.x-api-key"),
        (
            {"headers": {}, "proxy": {**PROXY, "hostname": "http://evil:3128", "password": MASK}},
            "configuration.proxy.password",
        ),
    ],
)
def test_a_kept_secret_does_not_go_elsewhere(change: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput, match="Owner") as refusal:
        check(changed(**change))
    assert refusal.value.field == field
