"""Rate limits of the API, in memory: requests by key, failed logins by address. Ingest has none of them."""

import ipaddress
from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Any

from longwire import log
from longwire.core.access import Identity
from longwire.core.allowance import Allowance
from longwire.core.errors import TooManyRequests

_REMEMBERED = 10_000
_NETWORK_BITS = 64
_NOTHING = timedelta()


class Limits:
    """Who used how much; the least recent of what is remembered goes when there is too much of it."""

    def __init__(self, requests: Allowance, failures: Allowance) -> None:
        """Begin with nothing used."""
        self._requests = requests
        self._failures = failures
        self._requested: OrderedDict[str, datetime] = OrderedDict()
        self._failed: OrderedDict[str, datetime] = OrderedDict()
        self._proven: OrderedDict[tuple[str, str], None] = OrderedDict()

    def count_failure(self, address: str, now: datetime) -> None:
        """Count a wrong key; raises TooManyRequests when the address has sent too many."""
        asker = _asker(address)
        used_until = self._failed.get(asker)
        if (wait := self._failures.wait(used_until, now)) > _NOTHING:
            raise TooManyRequests("too many wrong keys from this address; wait, then use a right one", wait)
        self._failed[asker] = self._failures.after_one(used_until, now)
        _keep_recent(self._failed, asker)
        if self._failures.wait(self._failed[asker], now) > _NOTHING:
            log.warning(log.SERVER_ADDRESS_LIMITED, address=asker)

    def count_request(self, identity: Identity, address: str, now: datetime) -> None:
        """Count a request with a valid key; raises TooManyRequests.

        From an address that has sent too many wrong keys a right one is refused too, or guessing would go on; but
        not one that has worked from there before: behind one proxy everybody has the same address.
        """
        asker, key_id = _asker(address), identity.key_id
        if (asker, key_id) not in self._proven:
            if (wait := self._failures.wait(self._failed.get(asker), now)) > _NOTHING:
                raise TooManyRequests("too many wrong keys from this address; wait, then try again", wait)
            self._proven[asker, key_id] = None
        _keep_recent(self._proven, (asker, key_id))
        used_until = self._requested.get(key_id)
        if (wait := self._requests.wait(used_until, now)) > _NOTHING:
            raise TooManyRequests("too many requests with this key", wait)
        self._requested[key_id] = self._requests.after_one(used_until, now)
        _keep_recent(self._requested, key_id)


def _keep_recent(remembered: OrderedDict[Any, Any], used: object) -> None:
    remembered.move_to_end(used)
    if len(remembered) > _REMEMBERED:
        remembered.popitem(last=False)


def _asker(address: str) -> str:
    """Return who is counted: an IPv4 address, or the network an IPv6 host chooses its addresses from."""
    if ":" not in address:
        return address
    return str(ipaddress.ip_network((address.partition("%")[0], _NETWORK_BITS), strict=False))
