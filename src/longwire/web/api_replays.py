"""`/replays`: sending many messages again (specification, section 18)."""

from dataclasses import dataclass, replace
from typing import Any

from litestar import Request, Response, delete, get, post
from litestar.handlers import HTTPRouteHandler

from longwire.core.access import Right
from longwire.core.delivery import DEAD_LETTERS, Outcome
from longwire.core.document import Member, Object, read_body
from longwire.core.errors import InvalidInput
from longwire.core.kinds import ID, Boolean, Choice, Integer, Text
from longwire.storage.delivery_search import DeliveryFilter
from longwire.storage.replay_jobs import ReplayJob, ReplayJobs, ReplayOrder, ReplayState
from longwire.web.answers import always
from longwire.web.api import document_of, resource_id
from longwire.web.delivery_filter import FILTER, filter_of
from longwire.web.identity import author_of, needs
from longwire.web.operation import Body, Operation, described

_COUNT = Integer(0, 2**53)
_ORDER = Object(
    name="ReplayOrder",
    members={
        "filter": Member(
            kind=FILTER, required=True, description="Which deliveries; without `outcome` every dead letter."
        ),
        "dryRun": Member(kind=Boolean(), default=False, description="Only count them."),
        "includeDelivered": Member(
            kind=Boolean(),
            default=False,
            description="Send again what was delivered, too; where `outcome` is given, that alone says so.",
        ),
        "connectionId": Member(kind=ID, description="Another connection: it gets new deliveries."),
    },
)
REPLAY = Object(
    name="Replay",
    members={
        "id": always(Text(), "The id."),
        "count": always(_COUNT, "How many deliveries it sends again."),
        "done": always(_COUNT, "How many of them were delivered."),
        "failed": always(_COUNT, "How many were not, or are not in the log any more."),
        "state": always(Choice(tuple(each.value for each in ReplayState)), "Where it is."),
    },
)
_COUNTED = Object(name="ReplayCount", members={"count": always(_COUNT, "How many deliveries match.")})
_BEGUN = Object(name="ReplayBegun", members={"id": REPLAY.members["id"], "count": REPLAY.members["count"]})
_BEGIN = Operation(
    id="beginReplay",
    summary="Send many messages again, behind what waits",
    description="With `dryRun` nothing is sent: 200 and the count alone.",
    body=Body(_ORDER),
    status=202,
    answer=_BEGUN,
    other_answers={200: _COUNTED},
    errors=(409,),
)
_SHOW = Operation(id="getReplay", summary="Show how far a replay is", answer=REPLAY)
_CANCEL = Operation(
    id="cancelReplay",
    summary="Take back what a replay has not sent",
    description="What was sent at least once stays in the queue.",
    status=204,
    errors=(409,),
)
# It deletes nothing: what was to be sent stays in the log.
_CANCELLING = needs(Right.WRITE) | described(_CANCEL)


@dataclass(frozen=True, slots=True)
class ReplaysApi:
    """What the routes of replays work with."""

    jobs: ReplayJobs

    def routes(self) -> list[HTTPRouteHandler]:
        """Return the route handlers."""

        @post("/replays", status_code=202, opt=described(_BEGIN))
        async def begin_replay(request: Request[Any, Any, Any]) -> Response[Any]:
            document = read_body(_ORDER, await document_of(request))
            wanted = filter_of(document.inner("filter"))
            target = document.text("connectionId")
            wanted = _with_outcomes(wanted, include_delivered=document.boolean("includeDelivered"))
            order = ReplayOrder(wanted, None if target is None else int(target))
            if document.boolean("dryRun"):
                return Response({"count": await self.jobs.count(order)}, status_code=200)
            job = await self.jobs.begin(order, author_of(request))
            return Response({"id": str(job.id), "count": job.count}, status_code=202)

        @get("/replays/{replay_id:str}", opt=described(_SHOW))
        async def get_replay(replay_id: str) -> Response[Any]:
            return Response(_shape(await self.jobs.load(resource_id(replay_id, "replay"))))

        @delete("/replays/{replay_id:str}", opt=_CANCELLING)
        async def cancel_replay(request: Request[Any, Any, Any], replay_id: str) -> None:
            await self.jobs.cancel(resource_id(replay_id, "replay"), author_of(request))

        return [begin_replay, get_replay, cancel_replay]


def _with_outcomes(wanted: DeliveryFilter, *, include_delivered: bool) -> DeliveryFilter:
    """Return the filter with the outcomes a replay takes; raises InvalidInput for those it does not."""
    if Outcome.QUEUED in wanted.outcomes:
        raise InvalidInput("filter.outcome", "QUEUED: such a delivery waits already")
    if Outcome.DELIVERED in wanted.outcomes and not include_delivered:
        raise InvalidInput("filter.outcome", "DELIVERED: only with includeDelivered true")
    if wanted.outcomes:
        return wanted
    delivered = (Outcome.DELIVERED,) if include_delivered else ()
    return replace(wanted, outcomes=frozenset((*DEAD_LETTERS, *delivered)))


def _shape(job: ReplayJob) -> dict[str, Any]:
    return {
        "id": str(job.id),
        "count": job.count,
        "done": job.done,
        "failed": job.failed,
        "state": job.state.value,
    }
