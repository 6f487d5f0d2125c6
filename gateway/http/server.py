"""The web gateway: the table of routes as an aiohttp application, and what happens around every request."""

import asyncio
import ipaddress
import json
import time
from typing import Any, TypeVar

import msgspec
import structlog
from aiohttp import web

from gateway.http import (
    actions,
    catalogue,
    courses,
    documents,
    edge,
    enrolments,
    etags,
    experience,
    explanation,
    health,
    items,
    media,
    openapi,
    pages,
    progress,
    sign_in,
    students,
    teaching,
    tickets,
    uploads,
)
from gateway.http.deadlines import ConnectionLimits, connection_factory
from gateway.http.deps import Deps
from gateway.http.problems import (
    HEADERS,
    Problem,
    forbidden,
    not_found,
    of_status,
    unauthorized,
    unavailable,
)
from gateway.http.routes import Call, Reply, Route, Who
from gateway.http.settings import WebSettings
from gateway.tokens import Identity, TokenRefused
from persistence.enrolments import RANKS, member
from persistence.errors import SetupError, StoreUnavailable

log = structlog.get_logger()

S = TypeVar("S", bound=msgspec.Struct)

ROUTE = web.RequestKey("playhead_route", Route)


def routes() -> list[Route]:
    """The whole table. What is not in it does not exist."""
    table = [
        *sign_in.routes(),
        *tickets.routes(),
        *catalogue.routes(),
        *courses.routes(),
        *enrolments.routes(),
        *students.routes(),
        *teaching.routes(),
        *items.routes(),
        *progress.routes(),
        *explanation.routes(),
        *actions.routes(),
        *media.ROUTES,
        *documents.routes(),
        *uploads.routes(),
        *edge.ROUTES,
        *experience.ROUTES,
        *health.routes(),
        *pages.routes(),
    ]
    return [*table, *openapi.routes(table)]


def make_app(deps: Deps) -> web.Application:
    """The application of one web gateway."""
    around = Around(deps)

    @web.middleware
    async def all_of_it(request: web.Request, handler: Any) -> web.StreamResponse:
        return await around.handle(request, handler)

    app = web.Application(client_max_size=deps.settings.body_max_bytes, middlewares=[all_of_it])
    for route in routes():
        handler = Guarded(route, deps).handle
        if route.method == "GET":
            app.router.add_get(route.path, handler, allow_head=True)
        else:
            app.router.add_route(route.method, route.path, handler)
    return app


class WebServer:
    """The application listening on a port."""

    def __init__(self, app: web.Application, settings: WebSettings) -> None:
        self._runner = web.AppRunner(
            app, handle_signals=False, access_log=None, shutdown_timeout=settings.drain_s
        )
        self._settings = settings
        self._server: asyncio.Server | None = None

    async def start(self) -> tuple[str, int]:
        """Listen; gives host and port."""
        await self._runner.setup()
        handled, settings = self._runner.server, self._settings
        if handled is None:
            raise SetupError("the web application was set up and stopped at once; start it again")
        limits = ConnectionLimits(
            settings.headers_timeout_s, settings.idle_timeout_s, settings.connections_max
        )
        self._server = await asyncio.get_running_loop().create_server(
            connection_factory(handled, limits),
            settings.host,
            settings.port,
            reuse_port=settings.reuse_port,
            backlog=1024,
        )
        host, port = self._server.sockets[0].getsockname()[:2]
        return host, port

    @property
    def listening(self) -> bool:
        """Whether new connections are taken."""
        return self._server is not None and self._server.is_serving()

    @property
    def connections(self) -> int:
        """How many are open."""
        server = self._runner.server
        return len(server.connections) if server is not None else 0

    async def stop(self) -> None:
        """Stop listening, let running requests end (`drain_s`), cancel the rest (as long again), close."""
        if self._server is not None:
            self._server.close()
        await self._runner.cleanup()


class Around:
    """What is true of every request: shed when too many, answered in time, logged and counted."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._running = 0

    async def handle(self, request: web.Request, handler: Any) -> web.StreamResponse:
        """Answer one request, whatever happens inside."""
        began_s = time.monotonic()
        self._running += 1
        self._deps.metrics.running.set(self._running)
        try:
            response = await self._answer(request, handler)
        finally:
            self._running -= 1
            self._deps.metrics.running.set(self._running)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        self._allow_origin(request, response)
        self._record(request, response, time.monotonic() - began_s)
        return response

    async def _answer(self, request: web.Request, handler: Any) -> web.StreamResponse:
        settings = self._deps.settings
        if self._running > settings.requests_max and request.path != "/healthz":
            self._deps.metrics.refused.inc()
            return unavailable("Too much is going on; come back in a moment.", "overload").response()
        if request.method == "OPTIONS" and request.headers.get("Origin") in settings.allowed_origins:
            return _preflight()
        try:
            async with asyncio.timeout(settings.answer_timeout_s + settings.body_timeout_s):
                response: web.StreamResponse = await handler(request)
                return response
        except Problem as problem:
            return problem.response()
        except web.HTTPException as refused:
            allow = {"Allow": refused.headers["Allow"]} if "Allow" in refused.headers else None
            # `OPTIONS *` and `CONNECT host:port` name no path: it is the method that is wrong (H6).
            status = 405 if refused.status == 404 and not request.path.startswith("/") else refused.status
            page = pages.missing(Call(request, self._deps)) if status == 404 else None
            return of_status(status, allow).response() if page is None else page
        except StoreUnavailable as error:
            log.warning("store_unavailable", route=_name(request), error=str(error))
            return unavailable("A store does not answer; come back in a moment.").response()
        except TimeoutError:
            log.warning("too_slow", route=_name(request))
            return unavailable("That took too long; come back in a moment.", "too_slow").response()
        except ConnectionError:
            raise
        except Exception:
            log.exception("request_failed", route=_name(request))
            return Problem(500, "internal", "Something went wrong here; it has been noted.").response()

    def _allow_origin(self, request: web.Request, response: web.StreamResponse) -> None:
        """CORS for the pages we were told of, by exact name, without credentials (H14)."""
        origin = request.headers.get("Origin")
        if self._deps.settings.allowed_origins:
            response.headers.add("Vary", "Origin")
        if origin is not None and origin in self._deps.settings.allowed_origins:
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = "ETag, Location, Retry-After"

    def _record(self, request: web.Request, response: web.StreamResponse, seconds: float) -> None:
        name = _name(request)
        method = request.method if request.method in {"GET", "HEAD", "POST", "PUT", "DELETE"} else "other"
        self._deps.metrics.requests.labels(method, name, response.status).inc()
        self._deps.metrics.seconds.labels(name).observe(seconds)
        log.info(
            "request",
            method=method,
            route=name,
            status=response.status,
            ms=round(seconds * 1000, 1),
            remote=request.remote,
            agent=request.headers.get("User-Agent", "")[:200],
        )


class Guarded:
    """A route as aiohttp calls it: who is there, what they brought, then the handler, then the answer."""

    def __init__(self, route: Route, deps: Deps) -> None:
        self._route = route
        self._deps = deps
        self._networks = [ipaddress.ip_network(text) for text in deps.settings.operator_networks]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request."""
        request[ROUTE] = self._route
        call = Call(request, self._deps)
        self._let_in(call)
        if self._route.query is not None:
            call.asked = _read_query(request, self._route.query)
        if self._route.takes is not None:
            call.given = await _read_body(request, self._route.takes, self._deps.settings)
        async with asyncio.timeout(self._deps.settings.answer_timeout_s):
            await self._let_teach(call)
            answer = await self._route.handler(call)
        if isinstance(answer, web.StreamResponse):
            return answer
        return _response(request, self._route, answer if isinstance(answer, Reply) else Reply(answer))

    async def _let_teach(self, call: Call) -> None:
        """Deny what the role in the course does not allow: a stranger hears what they hear of no course at
        all (H7), whoever is in it that it is not theirs to do (A8, A9).
        """
        needed = self._route.teaches
        if needed is None:
            return
        found = await member(self._deps.postgres, call.student, call.path_id("course"))
        if found is None:
            raise not_found()
        if RANKS[found.role] < RANKS[needed]:
            raise forbidden(f"Only an {needed} of the course may do that.")
        call.role = found.role

    def _let_in(self, call: Call) -> None:
        """Deny what the row does not allow. Raises `Problem`."""
        who = self._route.who
        if who is Who.STUDENT:
            call.identity = _identity(call)
        elif who is Who.OPERATOR and not self._is_operator(call.request):
            raise not_found()

    def _is_operator(self, request: web.Request) -> bool:
        """By the address at the other end. What came through a proxy came from outside (H5)."""
        if "X-Forwarded-For" in request.headers or "Forwarded" in request.headers:
            return False
        try:
            address = ipaddress.ip_address(request.remote or "")
        except ValueError:
            return False
        return any(address in network for network in self._networks)


def _response(request: web.Request, route: Route, reply: Reply) -> web.Response:
    """The answer, or 304 if the client has it already."""
    body = msgspec.json.encode(reply.body) if isinstance(reply.body, msgspec.Struct) else reply.body
    if body is None:
        return web.Response(status=204, headers=reply.headers)
    etag = reply.etag
    if etag is None and route.method == "GET":
        etag = etags.of_body(body)
    headers = reply.headers if etag is None else reply.headers | {"ETag": etag}
    if etag is not None and route.method == "GET" and etags.has(request, etag):
        return web.Response(status=304, headers=headers)
    return web.Response(status=route.status, body=body, content_type="application/json", headers=headers)


def _identity(call: Call) -> Identity:
    """Whom the one Authorization header speaks for; cookies and everything else are never looked at."""
    values = call.request.headers.getall("Authorization", [])
    scheme, _, token = values[0].partition(" ") if len(values) == 1 else ("", "", "")
    if scheme.lower() != "bearer":
        raise unauthorized()
    try:
        return call.deps.verifier.verify(token.strip())
    except TokenRefused as error:
        log.info("token_refused", reason=error.reason, remote=call.request.remote)
        raise unauthorized() from error


def _read_query(request: web.Request, kind: type[S]) -> S:
    """The query as a struct; names it does not know have no effect. Raises a 400."""
    given: dict[str, str] = {}
    for name in kind.__struct_fields__:
        values = request.query.getall(name, [])
        if len(values) > 1:
            raise Problem(400, "bad_query", f"{name} stands more than once")
        if values:
            given[name] = values[0]
    try:
        return msgspec.convert(given, kind, strict=False)
    except (msgspec.ValidationError, ValueError) as error:
        raise Problem(400, "bad_query", str(error)[:200]) from error


async def _read_body(request: web.Request, kind: type[S], settings: WebSettings) -> S:
    """The body as a struct; none stands for `{}` where that would do. Raises a 415, 413, 408, 400 or 422."""
    if not request.body_exists and not any(field.required for field in msgspec.structs.fields(kind)):
        return kind()
    if "Content-Encoding" in request.headers:
        # Nothing here is worth packing, and what is never unpacked cannot burst (H3).
        raise Problem(415, "unsupported_media_type", "Send the body without a Content-Encoding.")
    charset = (request.charset or "utf-8").lower()
    if request.content_type != "application/json" or charset not in ("utf-8", "utf8"):
        raise Problem(415, "unsupported_media_type", "Send Content-Type: application/json in UTF-8.")
    try:
        async with asyncio.timeout(settings.body_timeout_s):
            raw = await request.read()
    except TimeoutError as error:
        raise Problem(408, "body_too_slow", "The body did not come in time.") from error
    except web.RequestPayloadError as error:
        raise Problem(400, "malformed", "The body cannot be read.") from error
    try:
        body = msgspec.json.decode(raw, type=kind)
        json.loads(raw, object_pairs_hook=_no_name_twice)
    except msgspec.ValidationError as error:
        raise Problem(422, "invalid", str(error)[:200]) from error
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise Problem(400, "malformed", "The body is no JSON text as RFC 8259 has it.") from error
    return body


def _no_name_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Two readers could take two meanings from a repeated name (rule 29)."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def _preflight() -> web.Response:
    return web.Response(
        status=204,
        headers={
            "Access-Control-Allow-Methods": "GET, POST, PUT, DELETE",
            "Access-Control-Allow-Headers": "Authorization, Content-Type, Idempotency-Key, If-Match,"
            " If-None-Match",
            "Access-Control-Max-Age": "600",
        },
    )


def _name(request: web.Request) -> str:
    """The route's path as the table has it: never the raw one, which may hold a token (S9)."""
    route = request.get(ROUTE)
    return route.template if route is not None else "none"
