"""The headers of a connection: which names and values are refused, which values are secrets and how they are kept."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.samples.effort import examples

from longwire.core.configuration import Connection, map_secrets, mask, parse_connection, to_document
from longwire.core.fields import MASK, InvalidDocument
from longwire.core.headers import is_secret_header

REFUSED = [
    "Host",
    "Content-Length",
    "Transfer-Encoding",
    "Connection",
    "Keep-Alive",
    "TE",
    "Trailer",
    "Upgrade",
    "Expect",
    "Content-Encoding",
    "Proxy-Authorization",
    "Proxy-Connection",
    "Proxy-Anything",
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
    "webhook-anything",
    "Longwire-Attempt",
    "Longwire-Anything",
]
SECRET = [
    "Authorization",
    "X-Api-Key",
    "apikey",
    "Cookie",
    "X-Token-2",
    "My-Secret",
    "PASSWORD",
    "X-Signature",
]
OPEN = ["X-Building", "Accept", "User-Agent", "Content-Type", "X-Auth", "X-Host", "Tea"]


def with_headers(headers: Any, stored: Connection | None = None) -> Connection:
    configuration = {"destinationURL": "https://sink/", "headers": headers}
    return parse_connection({"connectorId": "actility-http-iot", "configuration": configuration}, stored)


def sources(connection: Connection) -> dict[str, str]:
    return {name: value.source for name, value in connection.configuration.headers}


def refusal(headers: Any, stored: Connection | None = None) -> list[tuple[str | None, str]]:
    with pytest.raises(InvalidDocument) as error:
        with_headers(headers, stored)
    return [(problem.field, str(problem)) for problem in error.value.problems]


# Names


@pytest.mark.parametrize("name", REFUSED)
def test_a_header_that_frames_the_request_or_is_ours_is_refused_in_any_case_and_spelling(name: str) -> None:
    for spelled in {name, name.lower(), name.upper(), name.replace("-", "_"), name.lower().replace("-", "_")}:
        ((field, message),) = refusal({spelled: "x"})  # HI-07, HI-09
        assert field == f"configuration.headers.{spelled}"
        assert "this header is written by Longwire or frames the request" in message


@pytest.mark.parametrize(
    "name",
    ["", " ", "X:", "X Y", " X", "X\t", "X\r\nY", "X\0", "é", "X/Y", "X(Y)", "X,Y", '"X"', "X[Y]", "{X}"],
)
def test_a_name_that_is_no_token_is_refused(name: str) -> None:
    ((field, message),) = refusal({name: "x"})

    assert field == f"configuration.headers{'.' if name else ''}{name}"
    assert "not a header name" in message


def test_a_very_long_name_is_refused_shortly() -> None:
    ((_, message),) = refusal({"é" * 100_000: "x"})

    assert len(message) < 400


@pytest.mark.parametrize("name", [*OPEN, *SECRET, "X_Y", "!#$%&'*+-.^_`|~1a"])
def test_any_other_token_is_kept_as_spelled(name: str) -> None:
    assert sources(with_headers({name: "x"})) == {name: "x"}


def test_names_that_differ_in_case_only_stand_twice() -> None:
    ((field, message),) = refusal({"X-A": "1", "x-a": "2"})

    assert field == "configuration.headers.x-a"
    assert "stands twice" in message


def test_there_are_at_most_100_headers() -> None:
    assert len(sources(with_headers({f"X-{n}": "x" for n in range(100)}))) == 100

    ((field, message),) = refusal({f"X-{n}": "x" for n in range(101)})
    assert (field, message) == ("configuration.headers", "configuration.headers: more than 100 members")


# Values


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "a\0b", "\r", "a\r", "\n", "{DevEUI}\n"])
def test_a_value_with_cr_lf_or_nul_is_refused_with_the_name(value: str) -> None:  # HI-01
    assert refusal({"X-A": value}) == [
        ("configuration.headers.X-A", "configuration.headers.X-A: a header value cannot hold CR, LF or NUL")
    ]


@pytest.mark.parametrize(
    "value", ["", " a ", "\ta", "Zürich", "東京", "😀", "a\u2028b", "a\u0085b", "*****", "a: b"]
)
def test_any_other_value_is_kept(value: str) -> None:  # HI-01, HI-03
    assert sources(with_headers({"X-A": value})) == {"X-A": value}


@pytest.mark.parametrize(("value", "fits"), [("x" * 8192, True), ("x" * 8193, False), ("é" * 4097, False)])
def test_a_value_has_at_most_8_kib(value: str, *, fits: bool) -> None:
    if fits:
        assert sources(with_headers({"X-A": value})) == {"X-A": value}
        return
    told = refusal({"X-A": value})
    assert {field for field, _ in told} == {"configuration.headers.X-A"}
    assert "longer than 8192" in told[0][1]


def test_a_syntax_error_in_a_value_is_refused_with_its_position() -> None:
    ((field, message),) = refusal({"X-A": "ab{DevEUI"})

    assert field == "configuration.headers.X-A"
    assert "position 2" in message


# Secrets


@pytest.mark.parametrize("name", SECRET)
def test_a_header_whose_name_says_so_is_a_secret(name: str) -> None:
    assert is_secret_header(name)
    assert is_secret_header(name.swapcase())


@pytest.mark.parametrize("name", OPEN)
def test_another_header_is_none(name: str) -> None:
    assert not is_secret_header(name)


def test_a_masked_secret_keeps_its_stored_value_whatever_the_case_of_its_name() -> None:
    stored = with_headers({"Authorization": "Bearer {DevEUI}", "X-Key": "k", "X-A": "a"})

    changed = with_headers({"authorization": MASK, "X-Key": "new", "X-A": MASK}, stored)

    assert sources(changed) == {"authorization": "Bearer {DevEUI}", "X-Key": "new", "X-A": MASK}
    assert changed.configuration.headers[0][1] == stored.configuration.headers[0][1]


@pytest.mark.parametrize("stored", [None, with_headers({}), with_headers({"X-Key": "k"})])
def test_a_mask_for_a_secret_that_was_never_set_is_refused(stored: Connection | None) -> None:
    assert refusal({"Authorization": MASK}, stored) == [
        (
            "configuration.headers.Authorization",
            "configuration.headers.Authorization: ***** keeps a stored value, and there is none",
        )
    ]


@pytest.mark.parametrize("value", ["****", "******", " *****", "*****x"])
def test_only_the_exact_mask_keeps_a_value(value: str) -> None:
    stored = with_headers({"Authorization": "old"})

    assert sources(with_headers({"Authorization": value}, stored)) == {"Authorization": value}


HEADERS = st.dictionaries(st.sampled_from(SECRET + OPEN), st.text("abc é:", max_size=9), max_size=6)


@given(HEADERS)
@examples(80)
def test_every_secret_and_nothing_else_is_masked(headers: dict[str, str]) -> None:
    document = to_document(with_headers(headers))

    masked = mask(document)

    shown = masked["configuration"]["headers"]
    assert shown == {name: MASK if name in SECRET else value for name, value in headers.items()}
    assert {**masked["configuration"], "headers": 0} == {**document["configuration"], "headers": 0}
    assert document["configuration"]["headers"] == headers  # the given document stays


@given(HEADERS)
@examples(80)
def test_sealing_and_opening_gives_every_secret_back_and_names_its_place(headers: dict[str, str]) -> None:
    document = to_document(with_headers(headers))
    sealed = map_secrets(document, lambda path, value: f"{path}={value}")

    opened = map_secrets(sealed, lambda path, value: value.removeprefix(f"{path}="))

    assert opened == document
    assert {
        value.partition("=")[0] for value in sealed["configuration"]["headers"].values() if "=" in value
    } == {f"configuration.headers.{name.lower()}" for name in headers if name in SECRET}


@given(HEADERS)
@examples(50)
def test_a_connection_put_back_masked_keeps_its_secrets(headers: dict[str, str]) -> None:
    stored = with_headers(headers)

    assert parse_connection(mask(to_document(stored)), stored) == stored
