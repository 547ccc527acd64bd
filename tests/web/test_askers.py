"""Who is counted by the limits: an address, an IPv6 network, a key; and no more than is remembered."""

from datetime import UTC, datetime, timedelta

import pytest

from longwire.core.access import Identity, Role
from longwire.core.allowance import Allowance
from longwire.core.errors import TooManyRequests
from longwire.web import limits
from longwire.web.limits import Limits

T0 = datetime(2026, 3, 14, tzinfo=UTC)
OWNER = Identity("1", "owner", Role.OWNER)


@pytest.fixture
def strict() -> Limits:
    return Limits(Allowance(100), Allowance(1))


def test_hosts_of_one_ipv6_network_are_one_asker(strict: Limits) -> None:
    strict.count_failure("2001:db8:1:2::1", T0)
    with pytest.raises(TooManyRequests):
        strict.count_failure("2001:db8:1:2:ffff::2", T0)
    strict.count_failure("2001:db8:1:3::1", T0)
    strict.count_failure("fe80::1%eth0", T0)


def test_ipv4_addresses_are_askers_by_themselves(strict: Limits) -> None:
    strict.count_failure("192.0.2.1", T0)
    strict.count_failure("192.0.2.2", T0)
    with pytest.raises(TooManyRequests):
        strict.count_failure("192.0.2.1", T0)


def test_the_wait_is_told_and_is_enough(strict: Limits) -> None:
    strict.count_failure("192.0.2.1", T0)
    with pytest.raises(TooManyRequests) as refusal:
        strict.count_request(OWNER, "192.0.2.1", T0)
    assert refusal.value.wait == timedelta(minutes=1)
    strict.count_request(OWNER, "192.0.2.1", T0 + refusal.value.wait)


def test_of_very_many_askers_the_latest_are_remembered(
    strict: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "_REMEMBERED", 3)
    for host in range(10):
        strict.count_failure(f"192.0.2.{host}", T0)
    with pytest.raises(TooManyRequests):
        strict.count_failure("192.0.2.9", T0)
    strict.count_failure("192.0.2.0", T0)


def test_of_very_many_keys_the_latest_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_REMEMBERED", 2)
    once = Limits(Allowance(1), Allowance(1))
    for number in range(3):
        once.count_request(Identity(str(number), "key", Role.READER), "192.0.2.1", T0)

    once.count_request(Identity("0", "key", Role.READER), "192.0.2.1", T0)
    with pytest.raises(TooManyRequests):
        once.count_request(Identity("2", "key", Role.READER), "192.0.2.1", T0)
