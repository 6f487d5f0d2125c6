"""openapi.json, made from the table of routes and the structs they take and give."""

import importlib.metadata
from collections.abc import Sequence
from typing import Any

import msgspec
from aiohttp import web

from gateway.http import problems
from gateway.http.problems import ProblemDocument
from gateway.http.routes import IDEMPOTENCY_KEY, Call, Route, Who

_REFERENCE = "#/components/schemas/{name}"
_ALWAYS = (400, 500, 503)


def routes(table: Sequence[Route]) -> list[Route]:
    """The document of a table, which is in it itself."""
    own: list[Route] = []

    async def show(call: Call) -> web.Response:
        return web.Response(body=text, content_type="application/json")

    own.append(Route("GET", "/openapi.json", Who.ANYONE, show, "This document", "application/json"))
    text = msgspec.json.encode(document([*table, *own]))
    return own


def document(table: Sequence[Route]) -> dict[str, Any]:
    """OpenAPI 3.1 of a table of routes."""
    structs = _structs(table)
    schemas, components = msgspec.json.schema_components(structs, ref_template=_REFERENCE)
    references = dict(zip(structs, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in table:
        paths.setdefault(route.template, {})[route.method.lower()] = _operation(route, references)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Playhead",
            "version": importlib.metadata.version("playhead"),
            "description": "Everything at rest. What is live goes over the socket: docs/protocol.md.",
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT (ES256)"},
            },
        },
    }


def _structs(table: Sequence[Route]) -> list[type[msgspec.Struct]]:
    found: dict[type[msgspec.Struct], None] = {ProblemDocument: None}
    for route in table:
        for kind in (route.takes, route.query, route.gives):
            if kind is not None and not isinstance(kind, str):
                found[kind] = None
    return list(found)


def _operation(route: Route, references: dict[type[msgspec.Struct], dict[str, Any]]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": route.summary,
        "operationId": f"{route.handler.__module__.rpartition('.')[2]}_{route.method.lower()}_"
        + "_".join(word for word in route.template.replace("{", "").replace("}", "").split("/") if word),
        "parameters": _parameters(route),
        "responses": _responses(route, references),
        "security": [{"bearer": []}] if route.who is Who.STUDENT else [],
        "x-who": route.who.value if route.teaches is None else f"an {route.teaches} of the course",
    }
    if route.takes is not None:
        operation["requestBody"] = {
            "required": any(field.required for field in msgspec.structs.fields(route.takes)),
            "content": {"application/json": {"schema": references[route.takes]}},
        }
    return operation


def _parameters(route: Route) -> list[dict[str, Any]]:
    in_path: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in route.parameters
    ]
    if route.keyed:
        key = {"type": "string", "minLength": 1, "maxLength": 64}
        in_path.append({"name": IDEMPOTENCY_KEY, "in": "header", "required": True, "schema": key})
    if route.if_match:
        in_path.append({"name": "If-Match", "in": "header", "required": True, "schema": {"type": "string"}})
    if _is_tagged(route):
        in_path.append(
            {
                "name": "If-None-Match",
                "in": "header",
                "required": False,
                "schema": {"type": "string"},
            }
        )
    if route.query is None:
        return in_path
    (schema,), components = msgspec.json.schema_components([route.query])
    properties = components[schema["$ref"].rpartition("/")[2]]["properties"]
    return in_path + [
        {"name": name, "in": "query", "required": False, "schema": found}
        for name, found in properties.items()
    ]


def _responses(route: Route, references: dict[type[msgspec.Struct], dict[str, Any]]) -> dict[str, Any]:
    success: dict[str, Any] = {"description": route.summary}
    if isinstance(route.gives, str):
        success["content"] = {route.gives: {"schema": {"type": "string"}}}
    elif route.gives is not None:
        success["content"] = {"application/json": {"schema": references[route.gives]}}
    statuses = {*_ALWAYS, *route.problems}
    if route.teaches is not None:
        statuses |= {403, 404}
    if route.if_match:
        statuses |= {412, 428}
    if route.who is Who.STUDENT:
        statuses.add(401)
    if route.takes is not None:
        statuses |= {408, 413, 415, 422}
    problem = {problems.CONTENT_TYPE: {"schema": references[ProblemDocument]}}
    unchanged = {"304": {"description": "If-None-Match has it"}} if _is_tagged(route) else {}
    return {
        str(route.status): success,
        **unchanged,
        **{
            str(status): {"description": problems.of_status(status).code, "content": problem}
            for status in sorted(statuses)
        },
    }


def _is_tagged(route: Route) -> bool:
    """Whether answers have an ETag: every struct that is read has."""
    return route.method == "GET" and route.gives is not None and not isinstance(route.gives, str)
