"""What an edge of ours asks before it fetches an object it does not have: where that lies in the bucket.

The bucket stays private and the edge holds no key to it. On a miss, and only then, it shows the address it
was asked for; the answer is a place in the store, signed for the edge. That gives nothing the token does not
give anyway: that one object, until the window has ended.
"""

import time
from urllib.parse import urlsplit

from aiohttp import web

from gateway.http.problems import not_found
from gateway.http.routes import Call, Route, Who
from persistence.delivery import address_inside, opens

OBJECT = "X-Playhead-Object"
"""Path and query to ask the store for. Never a host: an edge fetches from its one store, whatever we say."""


async def place(call: Call) -> web.Response:
    """`GET /v1/edge/{token}/{key}`: 204 with the place, or 404."""
    store = call.deps.settings.objects
    token, key = call.request.match_info["token"], call.request.match_info["key"]
    now_s = time.time()
    if store is None or not opens(store.media_token_key, token, key, now_s):
        raise not_found()
    found = urlsplit(address_inside(store, key, now_s).url)
    return web.Response(status=204, headers={OBJECT: f"{found.path}?{found.query}"})


ROUTES = (
    Route(
        "GET",
        r"/v1/edge/{token:[0-9A-Za-z_.-]{1,4096}}/{key:.{1,1024}}",
        Who.HOLDER,
        place,
        "For a CDN of ours: where an object lies in the private bucket",
        "text/plain",
        problems=(404,),
    ),
)
