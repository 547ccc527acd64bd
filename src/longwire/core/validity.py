"""How old a message may become before it expires."""

from dataclasses import dataclass
from datetime import timedelta

from longwire.core.document import Document
from longwire.core.kinds import Duration

VALIDITY = Duration(timedelta(seconds=1), timedelta(days=3650))


@dataclass(frozen=True, slots=True)
class Validity:
    """How old a message may become; `text` is the duration as written."""

    text: str
    age: timedelta


def parse_validity(document: Document) -> Validity | None:
    """Return the member `uplinkTimeValidity` of an object."""
    if "uplinkTimeValidity" not in document.values:
        return None
    return Validity(str(document.written["uplinkTimeValidity"]), document.duration("uplinkTimeValidity"))
