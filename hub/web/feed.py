"""The route by which a smaller hall feeds its records to this one."""

from typing import Any, Literal

import msgspec
from litestar import Request, Response, post
from litestar.di import NamedDependency
from litestar.params import SkipValidation

from hub.feed import Feeds
from hub.rules.access import Scope
from hub.rules.proof import FeedRequest
from hub.web import body
from protocol import strict

Http = Request[Any, Any, Any]
TheFeeds = NamedDependency[SkipValidation[Feeds]]


class FeedAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a record: it is kept now, or was before."""

    answer: Literal["accepted", "exists"]


@post("/feed", scope=Scope.FEED)
async def take(request: Http, feeds: TheFeeds) -> Response[FeedAnswer]:
    """Take a record: 201 once it is on disk, 200 if it was there."""
    asked = strict.convert(await body.read(request), FeedRequest)
    if await feeds.take(asked, request.state.caller):
        return Response(FeedAnswer(answer="accepted"), status_code=201)
    return Response(FeedAnswer(answer="exists"), status_code=200)


API = [take]
