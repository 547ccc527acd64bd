"""What a ThingPark LRC sends: signed uplinks and reports, written after section 8 of the specification."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

AS_KEY = "c6f5e3b263092120b8766b9aed9c41b4"
AS_ID = "TWA_100000001.999.AS"
CUSTOMER = "100000001"

# What the Token covers of the body, by root; the specification knows no others.
_ELEMENTS = {
    "DevEUI_uplink": ("CustomerID", "DevEUI", "FPort", "FCntUp", "payload_hex"),
    "DevEUI_downlink_Sent": ("CustomerID", "DevEUI", "FPort", "FCntDn"),
    "DevEUI_location": ("CustomerID", "DevEUI"),
}


def body_elements(document: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the members of the body that the Token covers, joined."""
    ((root, members),) = document.items()
    values = {"FPort": 0} | dict(members)
    if root == "DevEUI_location":
        values["DevEUI"] = members["DevEUI"].lower()
    return "".join(str(values[name]) for name in _ELEMENTS[root])


def token(elements: str, query: str, key: str) -> str:
    """Return the Token for a query as it goes on the wire, without `&Token=`."""
    return hashlib.sha256((elements + unquote(query) + key).encode()).hexdigest()


def signed(query: str, document: Mapping[str, Mapping[str, Any]], key: str = AS_KEY) -> str:
    return f"{query}&Token={token(body_elements(document), query, key)}"


def query_for(dev_eui: str, f_port: int = 1) -> str:
    """Return an unsigned query as an LRC writes it, `+` encoded."""
    time = quote("2026-03-14T10:26:53.700+01:00", safe=":")
    return f"LrnDevEui={dev_eui}&LrnFPort={f_port}&LrnInfos={AS_ID}-1-12345678&AS_ID={AS_ID}&Time={time}"


@dataclass(frozen=True, slots=True)
class Uplink:
    """One uplink of a simulated device, of about 950 bytes with `members` empty."""

    dev_eui: str
    f_cnt: int
    members: tuple[tuple[str, Any], ...] = ()

    @property
    def document(self) -> dict[str, dict[str, Any]]:
        content = {
            "Time": f"2026-03-14T10:{self.f_cnt // 60 % 60:02}:{self.f_cnt % 60:02}.589+01:00",
            "DevEUI": self.dev_eui,
            "FPort": 1,
            "FCntUp": self.f_cnt,
            "payload_hex": f"{self.f_cnt:032x}",
            "LrrRSSI": -97.0,
            "LrrSNR": 7.25,
            "Lrrs": {"Lrr": [{"Lrrid": f"10002{n:03}", "LrrRSSI": -97.0, "LrrSNR": 7.25} for n in range(8)]},
            "CustomerID": CUSTOMER,
            "CustomerData": {"name": f"Sensor {self.dev_eui[-4:]}", "tags": ["site=Paris"]},
            "Frequency": 868.1,
        }
        return {"DevEUI_uplink": content | dict(self.members)}

    @property
    def body(self) -> bytes:
        return compact(self.document)

    @property
    def query(self) -> str:
        return signed(query_for(self.dev_eui), self.document)


def uplink(dev_eui: str, f_cnt: int, **members: Any) -> Uplink:
    return Uplink(dev_eui, f_cnt, tuple(members.items()))


def report(root: str, dev_eui: str, **members: Any) -> bytes:
    """Return a body with a root that the Token's description does not know."""
    return compact(
        {
            root: {
                "Time": "2026-03-14T10:20:01.000+01:00",
                "DevEUI": dev_eui,
                "CustomerID": CUSTOMER,
                **members,
            }
        }
    )


def compact(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
