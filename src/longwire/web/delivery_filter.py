"""The filter of deliveries, as the parameters of a query and as a document (specification, section 18)."""

from typing import Any

from litestar.datastructures import MultiDict

from longwire.core.delivery import Outcome
from longwire.core.document import Document, Member, Object
from longwire.core.kinds import ID, Choice, ListOf, Text
from longwire.core.message import parse_dev_eui
from longwire.storage.delivery_search import DeliveryFilter
from longwire.web.query import parse_time, parsed, read_query

_STATUSES = {"none": 0, "2xx": 2, "3xx": 3, "4xx": 4, "5xx": 5}
_TIME = Text(format="date-time")
_TEXT = Text(longest=200, pattern=r"[^\0]*", says="a text never holds the character NUL")

FILTER = Object(
    name="DeliveryFilter",
    members={
        "connectionId": Member(kind=ID, description="Of this connection."),
        "devEUI": Member(kind=Text(longest=40), description="Of this device."),
        "outcome": Member(
            kind=ListOf(Choice(tuple(each.value for each in Outcome))),
            description="With one of these outcomes; in a query several times, or separated by commas.",
        ),
        "status": Member(
            kind=Choice(tuple(_STATUSES)), description="By the last HTTP status; `none`: there was no answer."
        ),
        "startTime": Member(kind=_TIME, description="Received from this time on."),
        "endTime": Member(kind=_TIME, description="Received before this time."),
        "q": Member(kind=_TEXT, description="With this text in the message as received, in any case."),
    },
)


def read_filter(query: MultiDict[Any]) -> DeliveryFilter:
    """Return the filter of a query; raises InvalidDocument with every parameter that is wrong."""
    given = {**query, "outcome": ",".join(query.getall("outcome"))} if "outcome" in query else query
    return filter_of(read_query(FILTER.members, given))


def filter_of(document: Document) -> DeliveryFilter:
    """Return the filter of a document that was read by `FILTER`; raises as its `finish`."""
    connection_id, status = document.text("connectionId"), document.text("status")
    found = DeliveryFilter(
        connection_id=None if connection_id is None else int(connection_id),
        dev_eui=parsed(document, "devEUI", parse_dev_eui),
        outcomes=frozenset(Outcome(each) for each in document.elements("outcome")),
        status=None if status is None else _STATUSES[status],
        begin=parsed(document, "startTime", parse_time),
        end=parsed(document, "endTime", parse_time),
        text=document.text("q") or None,
    )
    document.finish()
    return found
