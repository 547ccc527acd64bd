"""The OpenAPI 3.1 document: built from what the routes say of themselves, so it cannot fall behind them."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute

from longwire import __version__
from longwire.core.access import Right, weakest_role
from longwire.core.document import Member, Object, Use, describe_for, schema_of
from longwire.core.kinds import Kind, ListOf, Schema, Text
from longwire.web.identity import right_needed
from longwire.web.operation import JSON_TYPE, Operation

# Any operation may answer these: keys and limits are judged before a route is looked for.
_COMMON_ERRORS = (401, 403, 408, 413, 415, 429, 500, 503)
_PARAMETER = re.compile(r"{(\w+)(?::\w+)?}")

_FIELD_ERROR = Object(
    name="FieldError",
    members={
        "field": Member(kind=Text(), description="The JSON path of what is wrong.", required=True),
        "message": Member(kind=Text(), description="What to change.", required=True),
    },
)
ERROR = Object(
    name="Error",
    members={
        "code": Member(kind=Text(pattern="[a-z]+-[0-9]+"), description="`module-number`.", required=True),
        "message": Member(kind=Text(), description="What to change; it names the field.", required=True),
        "correlationId": Member(
            kind=Text(), description="As in `X-Correlation-Id`, and in the log.", required=True
        ),
        "data": Member(
            kind=Object(
                name="ErrorData",
                members={
                    "field": Member(kind=Text(), description="The JSON path of what is wrong."),
                    "errors": Member(
                        kind=ListOf(_FIELD_ERROR), description="Every field, where several are wrong."
                    ),
                    "error": Member(kind=Text(), description="OAuth2's word, where a token is asked for."),
                },
            ),
            description="More about it.",
            required=True,
        ),
    },
)


@dataclass(frozen=True, slots=True)
class Route:
    """A method of a path, what it says of itself, and the right it needs; None: not even a key."""

    method: str
    path: str
    operation: Operation
    right: Right | None


def routes_of(api: Litestar) -> list[Route]:
    """Return every route of the API that says what it does; a test tells which does not."""
    return [
        Route(method, _shown(path), operation, right_needed(handler.opt, method))
        for path, method, handler in handlers_of(api)
        if (operation := _operation(handler, method)) is not None
    ]


def undescribed(api: Litestar) -> list[str]:
    """Return the routes that do not say what they do: their handler needs `opt=described(...)`."""
    return [
        f"{method} {path}"
        for path, method, handler in handlers_of(api)
        if _operation(handler, method) is None
    ]


def handlers_of(api: Litestar) -> list[tuple[str, str, HTTPRouteHandler]]:
    """Return path, method and handler of every route."""
    return [
        (route.path, method, handler)
        for route in api.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        if handler.include_in_schema is not False
        for method in sorted(handler.http_methods - {"HEAD", "OPTIONS"})
    ]


def _operation(handler: HTTPRouteHandler, method: str) -> Operation | None:
    declared: Operation | Mapping[str, Operation] | None = handler.opt.get("operation")
    return declared.get(method) if isinstance(declared, Mapping) else declared


def _shown(path: str) -> str:
    """Return the path as the document writes it: the specification calls every parameter `id` but one."""
    return _PARAMETER.sub(lambda match: "{devEUI}" if match[1] == "dev_eui" else "{id}", path)


def build_document(routes: Iterable[Route]) -> dict[str, Any]:
    """Return the OpenAPI document of these routes."""
    schemas = _Schemas()
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _describe(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Longwire",
            "version": __version__,
            "description": "LoRaWAN messages to HTTP: durable, in order, observed.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        # Relative to this document, so that it is right behind any prefix.
        "servers": [{"url": "../.."}],
        "security": [{"key": []}, {"client": []}],
        "paths": paths,
        "components": {
            "schemas": schemas.named,
            "responses": {str(status): _error_answer(status, schemas) for status in _COMMON_ERRORS},
            "headers": {"X-Correlation-Id": _header("The id of this request, also in the log.")},
            "securitySchemes": _SECURITY,
        },
    }


_SECURITY = {
    "key": {"type": "http", "scheme": "bearer", "description": "An API key, or an access token."},
    "client": {
        "type": "oauth2",
        "description": "An API key's id as client id, the key as client secret.",
        "flows": {"clientCredentials": {"tokenUrl": "/iot-flow/v1/oauth/tokenSwagger", "scopes": {}}},
    },
}


@dataclass(frozen=True, slots=True)
class _Schemas:
    """The schemas by name; objects refer to each other."""

    named: dict[str, Schema] = field(default_factory=dict)

    def of(self, kind: Kind, use: Use) -> Schema:
        """Return a kind's schema in a use, its objects as references."""
        return describe_for(use, self._refer)(kind)

    def _refer(self, shape: Object, use: Use) -> Schema:
        name = f"{shape.name}{use.value}"
        if name not in self.named:
            self.named[name] = {}  # an object may hold itself
            self.named[name] = shape.schema(describe_for(use, self._refer), use)
        return {"$ref": f"#/components/schemas/{name}"}


def _describe(route: Route, schemas: _Schemas) -> dict[str, Any]:
    operation = route.operation
    described: dict[str, Any] = {
        "operationId": operation.id,
        "summary": operation.summary,
        "tags": [operation.tag or route.path.removeprefix("/iot-flow/v1/").partition("/")[0]],
        "parameters": _parameters(route),
        "responses": _answers(route, schemas),
    }
    words = [operation.description] if operation.description else []
    if route.right is None:
        described["security"] = []
        words.append("Needs no key.")
    else:
        described["x-role"] = weakest_role(route.right).value
        words.append(f"Needs a key of the role {described['x-role']}, or a stronger one.")
    described["description"] = " ".join(words)
    if operation.body is not None:
        body = operation.body
        content = {body.media_type: {"schema": schemas.of(body.kind, body.use)}}
        content |= {other: {"schema": {"type": "string"}} for other in body.others}
        described["requestBody"] = {"required": True, "content": content}
    if operation.is_planned:
        described["x-planned"] = True
    return described


def _parameters(route: Route) -> list[dict[str, Any]]:
    operation = route.operation
    in_path = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PARAMETER.findall(route.path)
    ]
    in_query = [
        {
            "name": name,
            "in": "query",
            "required": member.required,
            "description": member.description,
            "schema": _query_schema(member),
        }
        for name, member in operation.query.items()
    ]
    if_match = {
        "name": "If-Match",
        "in": "header",
        "description": "The `ETag` of the revision to change; another one is there: 412.",
        "schema": {"type": "string"},
    }
    return [*in_path, *in_query, *([if_match] if operation.has_if_match else [])]


def _query_schema(member: Member) -> Schema:
    schema = schema_of(member.kind)
    return schema if member.default is None else {**schema, "default": member.default}


def _answers(route: Route, schemas: _Schemas) -> dict[str, Any]:
    operation = route.operation
    good: dict[str, Any] = {
        "description": HTTPStatus(operation.status).phrase,
        "headers": {
            **{name: _header(words) for name, words in operation.answer_headers.items()},
            **{name: _header(words, required=False) for name, words in operation.optional_headers.items()},
            "X-Correlation-Id": {"$ref": "#/components/headers/X-Correlation-Id"},
        },
    }
    if operation.is_planned:
        good = _error_answer(operation.status, schemas)
    elif operation.answer is not None:
        good["content"] = {operation.answer_type: {"schema": schemas.of(operation.answer, Use.ANSWER)}}
    others = {
        str(status): {
            "description": HTTPStatus(status).phrase,
            "headers": {"X-Correlation-Id": {"$ref": "#/components/headers/X-Correlation-Id"}},
            "content": {JSON_TYPE: {"schema": schemas.of(kind, Use.ANSWER)}},
        }
        for status, kind in operation.other_answers.items()
    }
    errors = {
        str(status): {"$ref": f"#/components/responses/{status}"}
        if status in _COMMON_ERRORS
        else _error_answer(status, schemas)
        for status in sorted({*_COMMON_ERRORS, *operation.errors, *_implied_errors(route)})
    }
    return {str(operation.status): good, **others, **errors}


def _implied_errors(route: Route) -> Iterable[int]:
    operation = route.operation
    if operation.body is not None or operation.query:
        yield 400
    if "{" in route.path and not operation.is_planned:
        yield 404


def _error_answer(status: int, schemas: _Schemas) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "description": HTTPStatus(status).phrase,
        "headers": {"X-Correlation-Id": {"$ref": "#/components/headers/X-Correlation-Id"}},
        "content": {JSON_TYPE: {"schema": schemas.of(ERROR, Use.ANSWER)}},
    }
    if status in {429, 503}:
        answer["headers"]["Retry-After"] = _header("In how many seconds to try again.")
    return answer


def _header(words: str, *, required: bool = True) -> dict[str, Any]:
    return {"description": words, "required": required, "schema": {"type": "string"}}
