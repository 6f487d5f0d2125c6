"""The pages over HTTP: the files of frontend_demo, with a content security policy and ETags."""

import asyncio
from urllib.parse import urlsplit

import msgspec
from aiohttp import web

from gateway.http.files import File, Shell
from gateway.http.problems import not_found
from gateway.http.routes import Call, Route, Who
from gateway.http.tickets import socket_url

VERSION_PLACE = b"__SHELL_VERSION__"
"""Where the service worker's file wants the version of the pages."""


def routes() -> list[Route]:
    """The pages, the client, the views and the browser libraries."""
    anyone = Who.ANYONE
    return [
        Route("GET", "/", anyone, show, "The player", "text/html"),
        Route("GET", "/demo", anyone, show, "Three devices side by side", "text/html"),
        Route("GET", "/favicon.ico", anyone, show, "The icon", "image/svg+xml"),
        Route("GET", "/shell.json", anyone, shell, "The files of the pages, with one version", Shell),
        Route("GET", "/service_worker.js", anyone, worker, "Opens the pages off line", "text/javascript"),
        Route("GET", "/client/{path:.+}", anyone, show, "The JavaScript client", "text/javascript"),
        Route("GET", "/views/{path:.+}", anyone, show, "Scripts and styles of the pages", "text/javascript"),
        Route("GET", "/vendor/{path:.+}", anyone, show, "Browser libraries", "text/javascript"),
    ]


async def show(call: Call) -> web.Response:
    """A file, or 304 if the browser has it."""
    file = call.deps.files.find(call.request.path)
    if file is None:
        raise not_found()
    headers = {"ETag": file.etag, "Cache-Control": "no-cache", "Cross-Origin-Opener-Policy": "same-origin"}
    if file.content_type.startswith("text/html"):
        headers["Content-Security-Policy"] = policy(call, file)
    if file.etag in call.request.headers.get("If-None-Match", ""):
        return web.Response(status=304, headers=headers)
    return web.Response(body=file.content, headers={**headers, "Content-Type": file.content_type})


async def shell(call: Call) -> web.Response:
    """What a device has to keep to open the pages off line: all of one version, or nothing."""
    found = await asyncio.to_thread(call.deps.files.shell)
    headers = {"Cache-Control": "no-cache", "ETag": f'"{found.version}"'}
    return web.Response(body=msgspec.json.encode(found), content_type="application/json", headers=headers)


async def worker(call: Call) -> web.Response:
    """The service worker, sealed to the version of the pages: with another version it is another worker."""
    file = call.deps.files.find(call.request.path)
    if file is None:
        raise not_found()
    found = await asyncio.to_thread(call.deps.files.shell)
    etag = f'{file.etag[:-1]}.{found.version}"'
    headers = {
        "ETag": etag,
        "Cache-Control": "no-cache",
        "Service-Worker-Allowed": "/",
        "Content-Security-Policy": "default-src 'none'; script-src 'self'; connect-src 'self'",
    }
    if etag in call.request.headers.get("If-None-Match", ""):
        return web.Response(status=304, headers=headers)
    body = file.content.replace(VERSION_PLACE, found.version.encode())
    return web.Response(body=body, headers={**headers, "Content-Type": file.content_type})


def missing(call: Call) -> web.Response | None:
    """What a person reads whose browser asked for a page that is not there; None for everybody else."""
    asks_for_page = "text/html" in call.request.headers.get("Accept", "")
    if call.request.method not in ("GET", "HEAD") or not asks_for_page:
        return None
    file = call.deps.files.find("/missing")
    if file is None:
        return None
    headers = {"Content-Type": file.content_type, "Content-Security-Policy": policy(call, file)}
    return web.Response(status=404, body=file.content, headers=headers)


def policy(call: Call, file: File) -> str:
    """What the page may load: itself, our socket, the object store. No inline script but its import map."""
    objects = call.deps.settings.objects
    media = [objects.public_url, objects.media_base_url] if objects is not None else []
    store = " ".join(sorted({_origin(url) for url in media if url}))
    sockets = _origin(socket_url(call.request, call.deps.settings))
    return "; ".join(
        " ".join(part for part in parts if part)
        for parts in (
            ("default-src 'none'",),
            ("script-src 'self'", *file.script_hashes),
            ("style-src 'self'",),
            ("font-src 'self'",),
            ("img-src 'self' data: blob:", store),
            ("media-src 'self' blob:", store),
            ("connect-src 'self'", sockets, store),
            ("worker-src 'self' blob:",),
            ("frame-src 'self'",),
            ("frame-ancestors 'self'",),
            ("manifest-src 'self'",),
            ("base-uri 'none'",),
            ("form-action 'self'",),
        )
    )


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""
