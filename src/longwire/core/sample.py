"""The message that a test sends when it is given none: an uplink that says everywhere that it is a test."""

from datetime import datetime

import msgspec

TEST_DEV_EUI = "0000000000000000"


def sample_message(now: datetime) -> bytes:
    """Return an uplink with the members that patterns and applications ask for most."""
    uplink = {
        "Time": now.isoformat(timespec="milliseconds"),
        "DevEUI": TEST_DEV_EUI,
        "FPort": 1,
        "FCntUp": 1,
        "ADRbit": 1,
        "MType": 2,
        "payload_hex": b"TEST".hex(),
        "LrrRSSI": -100.0,
        "LrrSNR": 7.5,
        "SpFact": 7,
        "Lrrid": "00000000",
        "CustomerID": "TEST",
        "CustomerData": {"name": "TEST", "tags": ["TEST"]},
        "ModelCfg": "0",
        "DevAddr": "00000000",
        "Frequency": 868.1,
    }
    return msgspec.json.encode({"DevEUI_uplink": uplink})
