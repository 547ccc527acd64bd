"""A message's DevEUI, its fingerprint, and the downlink address at the end of its body."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.samples.effort import examples

from longwire.core.errors import InvalidInput
from longwire.core.message import fingerprint, parse_dev_eui, with_downlink_url

HEX = "0123456789abcdefABCDEF"


@pytest.mark.parametrize(
    "text",
    [
        "70B3D5E75E000001",
        "70b3d5e75e000001",
        "70-B3-D5-E7-5E-00-00-01",
        "70:b3:d5:e7:5e:00:00:01",
        "70b3-d5e7:5E00-0001",
    ],
)
def test_a_dev_eui_is_16_digits_whatever_its_case_and_separators(text: str) -> None:
    assert parse_dev_eui(text) == "70B3D5E75E000001"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "70B3D5E75E00000",
        "70B3D5E75E0000011",
        "70B3D5E75E00000G",
        "70B3 D5E7 5E00 0001",
        "70B3D5E75E000001\n",
        " 70B3D5E75E000001",
        "０0B3D5E75E000001",  # noqa: RUF001 - a digit, but none of ours
        "x" * 5000,
    ],
)
def test_another_dev_eui_is_refused_with_its_field_and_a_short_excerpt(text: str) -> None:
    with pytest.raises(InvalidInput) as error:
        parse_dev_eui(text, "LrnDevEui")

    assert error.value.field == "LrnDevEui"
    assert "expected 16 hexadecimal digits" in str(error.value)
    assert len(str(error.value)) < 120


@given(st.text(HEX, min_size=16, max_size=16), st.lists(st.sampled_from("-:"), max_size=5), st.data())
@examples(50)
def test_every_spelling_of_a_dev_eui_is_one_device(
    digits: str, separators: list[str], data: st.DataObject
) -> None:
    text = digits
    for separator in separators:
        at = data.draw(st.integers(0, len(text)))
        text = text[:at] + separator + text[at:]
    assert parse_dev_eui(text) == digits.upper() == parse_dev_eui(parse_dev_eui(text))


@given(st.lists(st.text(max_size=4) | st.binary(max_size=4), max_size=4))
@examples(50)
def test_equal_parts_have_equal_fingerprints_of_16_bytes(parts: list[str | bytes]) -> None:
    assert fingerprint(*parts) == fingerprint(*parts)
    assert len(fingerprint(*parts)) == 16


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("ab", "c"), ("a", "bc")),
        (("a", ""), ("", "a")),
        (("a",), ("a", "")),
        ((), ("",)),
        (("1", "23"), ("12", "3")),
        (("ns", "DevEUI_uplink"), ("DevEUI_uplink", "ns")),
    ],
)
def test_other_parts_have_another_fingerprint(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    assert fingerprint(*one) != fingerprint(*other)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            b'{"DevEUI_uplink":{"FPort":5}}',
            b'{"DevEUI_uplink":{"FPort":5,"downlinkUrl":"http://h/u","downlinkURL":"http://h/u"}}',
        ),
        (
            b'{"DevEUI_uplink":{}}',
            b'{"DevEUI_uplink":{"downlinkUrl":"http://h/u","downlinkURL":"http://h/u"}}',
        ),
        (
            b'{ "BS_alarm": { "n": 1.0 }\n}',
            b'{ "BS_alarm": { "n": 1.0 ,"downlinkUrl":"http://h/u","downlinkURL":"http://h/u"}\n}',
        ),
    ],
)
def test_the_downlink_address_ends_the_root_in_both_spellings(body: bytes, expected: bytes) -> None:
    assert with_downlink_url(body, "http://h/u") == expected
