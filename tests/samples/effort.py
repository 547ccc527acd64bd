"""How hard the properties try: `TEST_LONG=1` asks for twenty times as many examples."""

import os

from hypothesis import HealthCheck, settings

LONG = os.environ.get("TEST_LONG") == "1"


def examples(quick: int, **others: int) -> settings:
    """Return the settings of a property: `quick` examples, no deadline (the machine may be busy)."""
    return settings(
        max_examples=quick * 20 if LONG else quick,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
        **others,  # type: ignore[arg-type]
    )
