"""The edge before `rclone serve s3`: it mends the answers where rclone differs from S3, and nothing else.

rclone verifies signature, expiry and signed length itself; the edge holds no key. What it mends: a Range
answered 200 becomes 206; a CORS preflight is answered; an expired or unsigned request gets 403 instead of
400. The client's Host and its path, byte for byte, go on to rclone, so that the signature holds.

Its own process: `python -m persistence.embedded.object_edge LISTEN_PORT UPSTREAM_PORT`.
"""

import asyncio
import re
import signal
import sys

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, TCPConnector, web
from multidict import CIMultiDict
from yarl import URL

HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "expect",
    }
)
# Never invented by the edge: a header the client did not send must not reach the signature check.
NOT_ADDED = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "ETag, Content-Length, Content-Range, Accept-Ranges",
}
PREFLIGHT_KEPT_S = 7200  # the longest Chromium honours

# What S3 answers with 403 and rclone with 400.
REFUSALS = re.compile(
    rb"<Code>(AccessDenied|UnsupportedAlgorithm|InvalidAccessKeyId|RequestTimeTooSkewed)</Code>"
)
LONGEST_ERROR_BYTES = 64 * 1024

MOST_CONNECTIONS = 512
CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 60.0
PIECE_BYTES = 256 * 1024
CLOSE_TIMEOUT_S = 2.0


class Edge:
    """Answers every request by asking rclone at `upstream_port`."""

    def __init__(self, session: ClientSession, upstream_port: int) -> None:
        self._session = session
        self._upstream = f"http://127.0.0.1:{upstream_port}"

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            return _preflight(request)
        if not request.raw_path.startswith("/"):
            return _error(400, "InvalidURI", "Ask for a path of this server.")
        _send_continue(request)
        try:
            upstream = await self._session.request(
                request.method,
                URL(self._upstream + request.raw_path, encoded=True),
                headers=_forwarded(request),
                skip_auto_headers=NOT_ADDED,
                data=request.content if request.can_read_body else None,
                allow_redirects=False,
            )
        except (ClientError, TimeoutError):
            return _error(503, "ServiceUnavailable", "The object store did not answer; ask again.")
        async with upstream:
            if upstream.status == 400:
                return await _refused(request, upstream)
            return await _relay(request, upstream)


def _send_continue(request: web.BaseRequest) -> None:
    """Let a client that asked first (`Expect: 100-continue`, as botocore does) send its body."""
    if request.headers.get("Expect", "").lower() == "100-continue" and request.transport is not None:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")


def _preflight(request: web.BaseRequest) -> web.Response:
    asked = request.headers.get("Access-Control-Request-Headers", "")
    allow = {
        "Access-Control-Allow-Methods": "GET, HEAD, PUT, POST, DELETE",
        "Access-Control-Max-Age": str(PREFLIGHT_KEPT_S),
    }
    # CMCD and an upload's signed headers differ by player; a header opens nothing, only the signature does.
    if asked:
        allow["Access-Control-Allow-Headers"] = asked
    return web.Response(status=204, headers=CORS | allow)


def _forwarded(request: web.BaseRequest) -> "CIMultiDict[str]":
    headers = CIMultiDict(
        (name, value) for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP
    )
    # rclone answers several ranges with 501; a server may always send the whole instead (RFC 9110, 14.2).
    if "," in headers.get("Range", ""):
        del headers["Range"]
    return headers


async def _refused(request: web.BaseRequest, upstream: ClientResponse) -> web.Response:
    """A 400 of rclone: 403 where S3 says 403. A HEAD has no body to tell, and S3 would say 403 there."""
    body = await upstream.content.read(LONGEST_ERROR_BYTES)
    status = 403 if request.method == "HEAD" or REFUSALS.search(body) else 400
    return web.Response(status=status, body=body, content_type="application/xml", headers=CORS)


async def _relay(request: web.BaseRequest, upstream: ClientResponse) -> web.StreamResponse:
    partial = upstream.status == 200 and "Content-Range" in upstream.headers
    response = web.StreamResponse(status=206 if partial else upstream.status)
    for name, value in upstream.headers.items():
        if name.lower() not in HOP_BY_HOP and not name.lower().startswith("access-control-"):
            response.headers.add(name, value)
    response.headers.update(CORS)
    try:
        await response.prepare(request)
        if request.method != "HEAD":
            async for piece in upstream.content.iter_chunked(PIECE_BYTES):
                await response.write(piece)
        await response.write_eof()
    except (ClientError, TimeoutError, ConnectionError):
        # The viewer went away (every seek does that), or rclone did: half an answer must not look whole.
        if request.transport is not None:
            request.transport.abort()
    return response


def _error(status: int, code: str, message: str) -> web.Response:
    body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return web.Response(status=status, text=body, content_type="application/xml", headers=CORS)


async def serve(listen_port: int, upstream_port: int) -> None:
    """Serve on 127.0.0.1:`listen_port` until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    session = ClientSession(
        connector=TCPConnector(limit=MOST_CONNECTIONS),
        timeout=ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=READ_TIMEOUT_S),
        auto_decompress=False,
    )
    async with session:
        runner = web.ServerRunner(web.Server(Edge(session, upstream_port).answer, access_log=None))
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", listen_port, shutdown_timeout=CLOSE_TIMEOUT_S).start()
            await stop.wait()
        finally:
            await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2])))
