"""Which addresses may be dialled, and which hosts can be written (cases SS)."""

import ipaddress
import re
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longwire.core.address_policy import AddressPolicy, literal_address, parse_allow_list, parse_host
from longwire.core.errors import InvalidInput, Misconfigured

ANY_ADDRESS = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6))
SUGGESTED = re.compile(r"LONGWIRE_ALLOW_DESTINATIONS=(\S+)$")

PUBLIC = ["8.8.8.8", "1.1.1.1", "193.0.6.139", "2606:4700::1111", "2a00:1450:4001::1", "::ffff:8.8.8.8"]
PUBLIC_INSIDE = ["64:ff9b::808:808", "2002:808:808::1"]

NOT_PUBLIC = [
    "127.0.0.1",
    "127.255.255.254",
    "10.0.0.5",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "0.1.2.3",
    "192.0.2.1",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.9",
    "240.0.0.1",
    "::1",
    "fc00::1",
    "fd12:3456::1",
    "fec0::1",
    "2001:db8::1",
    "3fff::1",
    "100::1",
    "4000::1",
    "::7f00:1",  # 127.0.0.1, "IPv4-compatible"
]
CARRYING_PRIVATE = [
    "::ffff:10.0.0.5",  # mapped
    "::ffff:127.0.0.1",
    "64:ff9b::a00:5",  # NAT64
    "64:ff9b:1::a00:5",  # NAT64, local prefix
    "2002:a00:5::1",  # 6to4
    "2001:0:a00:5::1",  # Teredo, server
    "2001:0:808:808::f5ff:fffa",  # Teredo, client
]
METADATA = [
    "169.254.169.254",
    "169.254.0.1",
    "fe80::1",
    "fd00:ec2::254",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
]
NEVER = ["0.0.0.0", "::", "224.0.0.1", "239.255.255.250", "255.255.255.255", "ff02::1", "::ffff:0.0.0.0"]
EVERYTHING = "0.0.0.0/0, ::/0, private, loopback"


def judge(policy: AddressPolicy, address: str, port: int = 80) -> str | None:
    return policy.judge(ip_address(address), port)


@pytest.mark.parametrize("address", PUBLIC + PUBLIC_INSIDE)
def test_a_public_address_may_be_dialled(address: str) -> None:
    assert judge(parse_allow_list(""), address) is None


@pytest.mark.parametrize("address", NOT_PUBLIC + CARRYING_PRIVATE + METADATA + NEVER)
def test_nothing_else_may_be_dialled_by_default(address: str) -> None:  # SS-01, SS-05
    assert judge(parse_allow_list(""), address) is not None


@pytest.mark.parametrize("address", NOT_PUBLIC + CARRYING_PRIVATE)
def test_an_allowed_network_may_be_dialled(address: str) -> None:
    assert judge(parse_allow_list(EVERYTHING), address) is None


@pytest.mark.parametrize("address", METADATA)
def test_metadata_addresses_are_reached_only_when_listed_exactly(address: str) -> None:  # SS-05
    inside = {
        "::ffff:169.254.169.254": "169.254.169.254",
        "64:ff9b::a9fe:a9fe": "169.254.169.254",
        "2002:a9fe:a9fe::1": "169.254.169.254",
    }.get(address, address)

    assert judge(parse_allow_list(EVERYTHING), address) is not None
    assert judge(parse_allow_list("169.254.0.0/16, fe80::/10, fd00:ec2::/64"), address) is not None
    assert judge(parse_allow_list(inside), address) is None


@pytest.mark.parametrize("address", NEVER)
def test_what_is_no_host_is_never_dialled(address: str) -> None:
    exactly = f"{EVERYTHING}, {address}"

    reason = judge(parse_allow_list(exactly), address)
    assert reason is not None
    assert "never" in reason


@pytest.mark.parametrize(
    ("words", "allowed", "blocked"),
    [
        ("private", ["10.0.0.5", "172.20.0.1", "192.168.1.1", "fd12::1"], ["127.0.0.1", "100.64.0.1", "::1"]),
        ("loopback", ["127.0.0.1", "127.9.9.9", "::1"], ["10.0.0.5", "fd12::1"]),
        ("LOOPBACK , private", ["127.0.0.1", "10.0.0.5"], ["100.64.0.1"]),
        ("10.0.0.0/24", ["10.0.0.5"], ["10.0.1.5"]),
        ("10.0.0.5", ["10.0.0.5", "::ffff:10.0.0.5"], ["10.0.0.6"]),
        ("::ffff:10.0.0.0/104", ["10.0.0.5"], ["11.0.0.5", "192.168.1.1"][1:]),
        (" ,, ", ["8.8.8.8"], ["127.0.0.1"]),
    ],
)
def test_the_allow_list_means_what_it_says(words: str, allowed: list[str], blocked: list[str]) -> None:
    policy = parse_allow_list(words)

    assert [address for address in allowed if judge(policy, address) is not None] == []
    assert [address for address in blocked if judge(policy, address) is None] == []


@pytest.mark.parametrize(
    ("entry", "hint"),
    [
        ("10.0.0.5/8", "did you mean 10.0.0.0/8?"),
        ("localhost", "expected an address"),
        ("10.0.0.0/33", "expected an address"),
        ("public", "private and loopback"),
        ("10.0.0.1-10.0.0.9", "expected an address"),
    ],
)
def test_an_entry_that_cannot_be_read_is_named(entry: str, hint: str) -> None:
    with pytest.raises(Misconfigured) as error:
        parse_allow_list(f"private,{entry}")

    assert f"LONGWIRE_ALLOW_DESTINATIONS: cannot read '{entry}'" in str(error.value)
    assert hint in str(error.value)


def test_the_reason_gives_the_setting_to_add() -> None:
    assert judge(parse_allow_list(""), "10.0.0.5") == (
        "10.0.0.5 is not a public address; to allow it start Longwire with LONGWIRE_ALLOW_DESTINATIONS=10.0.0.5/32"
    )
    assert judge(parse_allow_list("loopback, fd12::/64"), "::ffff:10.0.0.5") == (
        "10.0.0.5 is not a public address; to allow it start Longwire with "
        "LONGWIRE_ALLOW_DESTINATIONS=loopback,fd12::/64,10.0.0.5/32"
    )


@given(ANY_ADDRESS, st.sampled_from(["", "private", "loopback,10.0.0.0/8"]))
def test_the_setting_that_a_reason_gives_works_and_keeps_what_was_allowed(
    address: IPv4Address | IPv6Address, words: str
) -> None:
    reason = parse_allow_list(words).judge(address, 443)
    if reason is None or (suggested := SUGGESTED.search(reason)) is None:
        return
    policy = parse_allow_list(suggested[1])

    assert policy.judge(address, 443) is None
    assert suggested[1].startswith(words)


@given(ANY_ADDRESS)
def test_without_a_list_only_addresses_python_calls_global_are_dialled(
    address: IPv4Address | IPv6Address,
) -> None:
    # 6to4 is judged by the IPv4 address it carries; Python's versions differ on whether such an address is global.
    judged = address.sixtofour if isinstance(address, IPv6Address) and address.sixtofour else address
    if parse_allow_list("").judge(address, 80) is None:
        assert judged.is_global
        assert not address.is_multicast


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_judged_the_same_in_all_its_clothes(address: IPv4Address) -> None:
    policy = parse_allow_list("")
    mapped = IPv6Address(f"::ffff:{address}")
    nat64 = IPv6Address(int(IPv6Address("64:ff9b::")) + int(address))
    six_to_four = IPv6Address((0x2002 << 112) | (int(address) << 80))
    verdict = policy.judge(address, 80) is None

    assert [policy.judge(form, 80) is None for form in (mapped, nat64, six_to_four)] == [verdict] * 3


@given(ANY_ADDRESS, st.integers(1, 65535), st.integers(1, 65535))
def test_the_port_says_nothing_about_a_blocked_address(
    address: IPv4Address | IPv6Address, port: int, own_port: int
) -> None:  # SS-21
    listener = (ip_address("0.0.0.0"), own_port)
    policy = parse_allow_list("", own_listeners=(listener, (address, own_port)))
    if policy.judge(address, port) is not None and port != own_port:
        assert policy.judge(address, port) == policy.judge(address, own_port)


# SS-17


OWN = [
    # listener, local addresses, dialled, refused
    ("127.0.0.1", "", "127.0.0.1", True),
    ("127.0.0.1", "", "127.0.0.2", True),  # localhost to people, whichever address it is
    ("127.0.0.1", "", "::1", True),
    ("::1", "", "127.0.0.1", True),
    ("127.0.0.1", "", "::ffff:127.0.0.1", True),
    ("0.0.0.0", "", "127.0.0.1", True),
    ("0.0.0.0", "", "127.9.9.9", True),
    ("0.0.0.0", "", "::1", True),
    ("::", "", "127.0.0.1", True),
    ("0.0.0.0", "10.0.0.5", "10.0.0.5", True),
    ("::", "10.0.0.5", "64:ff9b::a00:5", True),
    ("0.0.0.0", "10.0.0.5", "10.0.0.6", False),
    ("10.0.0.5", "", "10.0.0.5", True),
]


@pytest.mark.parametrize(("listener", "local", "dialled", "is_refused"), OWN)
def test_our_own_api_is_refused_whatever_is_allowed(
    listener: str, local: str, dialled: str, is_refused: object
) -> None:
    policy = parse_allow_list(
        EVERYTHING,
        own_listeners=((ip_address(listener), 8080),),
        local_addresses=tuple(ip_address(text) for text in local.split()),
    )

    reason = judge(policy, dialled, 8080)
    assert (reason is not None) is is_refused
    assert reason is None or "Longwire's own API" in reason
    assert judge(policy, dialled, 8081) is None


# What a host tells by itself


@pytest.mark.parametrize("host", ["localhost", "a.localhost", "a.b.localhost"])
def test_localhost_is_loopback_whoever_resolves_it(host: str) -> None:
    refusal = parse_allow_list("").judge_spelled(host, 80)
    assert refusal == (
        f"{host} is not a public address; to allow it start Longwire with "
        "LONGWIRE_ALLOW_DESTINATIONS=127.0.0.1/32,::1/128"
    )
    assert parse_allow_list("127.0.0.1/32,::1/128").judge_spelled(host, 80) is None
    half = parse_allow_list("127.0.0.1/32").judge_spelled(host, 80)  # a proxy may take either
    assert half is not None
    assert half.endswith("LONGWIRE_ALLOW_DESTINATIONS=127.0.0.1/32,::1/128")
    own = parse_allow_list("loopback", own_listeners=((ip_address("127.0.0.1"), 8080),))
    assert "Longwire's own API" in str(own.judge_spelled(host, 8080))


@pytest.mark.parametrize(
    "host", ["example.com", "localhost.example", "notlocalhost", "localhost-1", "2130706433.example"]
)
def test_another_name_tells_nothing_by_itself(host: str) -> None:
    assert parse_allow_list("").judge_spelled(host, 80) is None


@given(ANY_ADDRESS)
def test_a_host_that_is_an_address_is_judged_as_the_address(address: IPv4Address | IPv6Address) -> None:
    policy = parse_allow_list("private")
    assert policy.judge_spelled(str(address), 80) == policy.judge(address, 80)


# Hosts


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("example.com", "example.com"),
        ("EXAMPLE.com.", "example.com"),
        ("LOCALHOST", "localhost"),  # SS-15
        ("localhost.", "localhost"),
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1.", "127.0.0.1"),
        ("my_service", "my_service"),
        ("a-b.example", "a-b.example"),
        ("8.8.8.8.in-addr.arpa", "8.8.8.8.in-addr.arpa"),
        ("Bücher.example", "xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("straße.example", "xn--strae-oqa.example"),
        ("例え。テスト", "xn--r8jz45g.xn--zckzah"),
        ("[::1]", "::1"),
        ("::1", "::1"),
        ("[2001:DB8:0::0:1]", "2001:db8::1"),
        ("[::ffff:127.0.0.1]", str(ipaddress.ip_address("::ffff:127.0.0.1"))),
        ("１２７.０.０.１", "127.0.0.1"),  # noqa: RUF001 (full-width digits, as some keyboards give them)
        ("a" * 63 + ".example", "a" * 63 + ".example"),
    ],
)
def test_a_host_has_one_canonical_spelling(text: str, host: str) -> None:
    assert parse_host(text, "destinationURL") == host


FOUR_NUMBERS = "four decimal numbers"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("2130706433", FOUR_NUMBERS),  # SS-03
        ("0177.0.0.1", FOUR_NUMBERS),
        ("0x7f000001", FOUR_NUMBERS),
        ("0x7f.1", FOUR_NUMBERS),
        ("127.1", FOUR_NUMBERS),
        ("127.0.0.0x1", FOUR_NUMBERS),
        ("010.8.8.8", FOUR_NUMBERS),
        ("1.2.3.4.5", FOUR_NUMBERS),
        ("256.1.1.1", FOUR_NUMBERS),
        ("example.1", FOUR_NUMBERS),
        ("0X7F.0.0.1", FOUR_NUMBERS),
        ("%6c%6f%63alhost", "percent-encoding"),  # SS-15
        ("[fe80::1%eth0]", "zone id"),
        ("[fe80::1%25eth0]", "zone id"),
        ("", "1 to 253 characters"),
        (".", "1 to 253 characters"),
        ("a" * 300, "1 to 253 characters"),  # SS-19
        (".".join(["a" * 60] * 5), "1 to 253 characters"),
        ("a" * 64 + ".example", "at most 63 characters"),
        ("a..b", "has a part ''"),
        ("a b", "has a part 'a b'"),
        ("-a.example", "has a part '-a'"),
        ("a-.example", "has a part 'a-'"),
        ("evil@127.0.0.1", "has a part"),  # SS-13
        ("127.0.0.1\\", "has a part"),
        ("a\x00b", "has a part"),
        ("a\nb", "has a part"),
        ("example.com\n", "has a part"),
        ("☃.example", "not an international name"),
        ("ü" * 100_000, "1 to 253 characters"),
        ("[::1", "not an IPv6 address"),
        ("::1]", "not an IPv6 address"),
        ("[127.0.0.1]", "not an IPv6 address"),
        ("[::127.0.0.01]", "not an IPv6 address"),
        ("a:b", "not an IPv6 address"),
    ],
)
def test_a_host_that_could_be_misread_is_refused(text: str, problem: str) -> None:
    with pytest.raises(InvalidInput) as error:
        parse_host(text, "proxy.hostname")

    assert error.value.field == "proxy.hostname"
    assert problem in str(error.value)
    assert len(str(error.value)) < 600


@given(st.one_of(st.text(max_size=40), st.from_regex(r"[a-z0-9_.:\[\]-]{1,40}", fullmatch=True)))
def test_a_canonical_host_is_its_own_canonical_host(text: str) -> None:
    try:
        host = parse_host(text)
    except InvalidInput:
        return

    assert parse_host(host) == host
    assert host.isascii()
    assert host == host.lower()
    assert not set(host) & set(" /\\@?#%[]\r\n\x00")


@given(ANY_ADDRESS)
def test_an_address_is_its_own_host(address: IPv4Address | IPv6Address) -> None:
    assert literal_address(parse_host(str(address))) == address


@pytest.mark.parametrize("host", ["localhost", "example.com", "1.example", "my_service"])
def test_a_name_is_no_address(host: str) -> None:
    assert literal_address(host) is None
