"""`/swagger-ui.html`: the interactive page of the API, with its own assets; needs no key and no other host.

The page holds no data: what it shows comes from `/openapi.json`, and from the API with the key its user enters.
"""

from importlib.resources import files

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from longwire.core.kinds import Text
from longwire.web.identity import PUBLIC
from longwire.web.operation import Operation, described

_HTML = "text/html"
_FOLDER = files("longwire.web") / "static"
_ASSETS = {
    "/swagger-ui/swagger-ui-bundle.js": "text/javascript",
    "/swagger-ui/longwire.js": "text/javascript",
    "/swagger-ui/swagger-ui.css": "text/css",
    "/swagger-ui/favicon-32x32.png": "image/png",
    "/http-connector.svg": "image/svg+xml",
}
_HEADERS = {
    "Cache-Control": "max-age=3600",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # Swagger UI writes styles into its elements, and shows pictures of its own as data.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
}
_PAGE = Operation(
    tag="documentation",
    id="getSwaggerPage",
    summary="This API as an interactive page",
    answer=Text(),
    answer_type="text/html",
)


def swagger_routes() -> list[HTTPRouteHandler]:
    """Return the routes of the page and of what it needs."""

    @get("/swagger-ui.html", opt=PUBLIC | described(_PAGE))
    async def show_page() -> Response[bytes]:
        return _answer("swagger-ui/page.html", _HTML)

    return [show_page, *(_asset(path, media_type) for path, media_type in _ASSETS.items())]


def _asset(path: str, media_type: str) -> HTTPRouteHandler:
    @get(path, name=path, opt=PUBLIC, include_in_schema=False)
    async def show_asset() -> Response[bytes]:
        return _answer(path, media_type)

    return show_asset


def _answer(path: str, media_type: str) -> Response[bytes]:
    content = (_FOLDER / path.lstrip("/")).read_bytes()
    return Response(content, media_type=media_type, headers=_HEADERS)
