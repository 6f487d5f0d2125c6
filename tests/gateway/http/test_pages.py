"""The pages: exact names only, nothing of the folder beside them, a policy without inline scripts, ETags."""

import base64
import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.http.files import SCAN_S, Files
from gateway.http.settings import WebSettings
from tests.gateway.http.conftest import Web, running

IMPORT_MAP = '{"imports": {"hls.js": "/vendor/hls.mjs"}}'
INDEX = f'<!doctype html><script type="importmap">{IMPORT_MAP}</script><script>evil()</script>'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("pages")
    files = {
        "site/index.html": INDEX,
        "site/views/demo.html": "<!doctype html>demo",
        "site/missing.html": "<!doctype html>no such page",
        "site/views/look.css": "body {}",
        "site/client/index.js": "export {}",
        "site/client/deep/er.js": "export {}",
        "site/client/test/secret.test.js": "no",
        "site/client/.hidden.js": "no",
        "site/client/notes.txt": "no",
        "site/package.json": "{}",
        "site/node_modules/hls.js/dist/hls.mjs": "export {}",
        "site/node_modules/other/index.js": "no",
        "site/node_modules/fonts/files/a.ttf": "font",
        "site/node_modules/fonts/files/deeper/b.ttf": "no",
        "site/node_modules/fonts/files/notes.txt": "no",
        "site/service_worker.js": 'const version = "__SHELL_VERSION__"',
        "site/vendor.json": json.dumps(
            {
                "/vendor/hls.mjs": "hls.js/dist/hls.mjs",
                "/vendor/fonts/": "fonts/files/",
                "/vendor/all/": "../",
                "/vendor/out.js": "../../secret.js",
                "/client/x.js": "other/index.js",
            }
        ),
        "secret.js": "no",
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (root / "site/client/link.js").symlink_to(root / "secret.js")
    return root / "site"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def site(web_settings: WebSettings, folder: Path) -> AsyncIterator[Web]:
    async with running(replace(web_settings, pages_folder=folder)) as started:
        yield started


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/demo", "text/html; charset=utf-8"),
        ("/views/look.css", "text/css; charset=utf-8"),
        ("/client/index.js", "text/javascript; charset=utf-8"),
        ("/client/deep/er.js", "text/javascript; charset=utf-8"),
        ("/vendor/hls.mjs", "text/javascript; charset=utf-8"),
    ],
)
async def test_pages_are_served(site: Web, path: str, content_type: str) -> None:
    answer = await site.ask("GET", path)
    assert (answer.status, answer.headers["Content-Type"]) == (200, content_type)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-cache"
    head = await site.ask("HEAD", path)
    assert (head.status, head.body, head.headers["ETag"]) == (200, b"", answer.headers["ETag"])
    again = await site.ask("GET", path, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize(
    "path",
    [
        "/client/test/secret.test.js",
        "/client/.hidden.js",
        "/client/notes.txt",
        "/client/",
        "/client/deep",
        "/client/link.js",
        "/client/x.js",
        "/client/../package.json",
        "/client/..%2fpackage.json",
        "/client/%2e%2e/package.json",
        "/client/%2e%2e%2f%2e%2e%2fsecret.js",
        "/client//index.js",
        "/client/index.js%00",
        "/vendor/out.js",
        "/vendor/fonts/",
        "/vendor/fonts/deeper/b.ttf",
        "/vendor/fonts/notes.txt",
        "/vendor/all/index.html",
        "/vendor/hls.js/dist/hls.mjs",
        "/vendor/other/index.js",
        "/node_modules/other/index.js",
        "/package.json",
        "/vendor.json",
        "/views/../../secret.js",
        "/index.html",
        "/client/\\..\\package.json",
        "/client//etc/passwd",
    ],
)
async def test_s1_no_path_leads_elsewhere(site: Web, path: str) -> None:
    received = await site.raw(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert received.split()[1] in (b"404", b"400"), received


async def test_the_worker_and_the_shell_are_of_one_version_that_changes_with_any_file(
    site: Web, folder: Path
) -> None:
    shell = (await site.ask("GET", "/shell.json")).json
    assert {"/", "/client/deep/er.js", "/vendor/fonts/a.ttf", "/favicon.ico"} - set(shell["files"]) == {
        "/favicon.ico"
    }
    assert not {"/demo", "/missing", "/service_worker.js"} & set(shell["files"])
    for path, etag in shell["files"].items():
        assert (await site.ask("GET", path)).headers["ETag"] == etag
    worker = await site.ask("GET", "/service_worker.js")
    assert worker.body == f'const version = "{shell["version"]}"'.encode()
    assert worker.headers["Service-Worker-Allowed"] == "/"
    assert worker.headers["Cache-Control"] == "no-cache"
    assert "script-src 'self'" in worker.headers["Content-Security-Policy"]
    kept = {"If-None-Match": worker.headers["ETag"]}
    assert (await site.ask("GET", "/service_worker.js", headers=kept)).status == 304
    (folder / "views/look.css").write_text("body { color: red }")
    again = await site.ask("GET", "/service_worker.js", headers=kept)
    assert again.status == 200 and again.body != worker.body
    assert (await site.ask("GET", "/shell.json")).json["version"] != shell["version"]


async def test_h12_no_inline_script_but_the_import_map(site: Web) -> None:
    policy = (await site.ask("GET", "/")).headers["Content-Security-Policy"]
    wanted = base64.b64encode(hashlib.sha256(IMPORT_MAP.encode()).digest()).decode()
    store = site.deps.settings.objects
    assert store is not None
    assert f"script-src 'self' 'sha256-{wanted}';" in policy
    assert policy.count("sha256-") == 1
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert (
        f"connect-src 'self' ws://{site.host}:{site.deps.settings.socket_port} {store.public_url}" in policy
    )


async def test_a_changed_file_is_read_again_and_a_new_one_found(folder: Path) -> None:
    files = Files(folder)
    before = files.find("/client/index.js")
    assert before is not None
    assert files.find("/client/index.js") is before
    (folder / "client/index.js").write_text("export const changed = 1")
    after = files.find("/client/index.js")
    assert after is not None
    assert after.etag != before.etag
    assert SCAN_S <= 1
    (folder / "client/new.js").write_text("")
    assert Files(folder).find("/client/new.js") is not None
    (folder / "client/new.js").unlink()


async def test_the_real_pages_name_only_what_is_served(web: Web) -> None:
    vendor = Path(__file__).parents[3] / "frontend_demo" / "vendor.json"
    served = set((await web.ask("GET", "/shell.json")).json["files"])
    for url in json.loads(vendor.read_text()):
        if url.endswith("/"):
            assert any(path.startswith(url) for path in served), f"{url}: run npm ci in frontend_demo"
        else:
            assert (await web.ask("GET", url)).status == 200, f"{url}: run npm ci in frontend_demo"


async def test_a_browser_that_asks_for_no_page_reads_a_page_and_a_program_a_problem(site: Web) -> None:
    accepts = "text/html,application/xhtml+xml,*/*;q=0.8"
    browser = await site.ask("GET", "/no/such/page", headers={"Accept": accepts})
    assert (browser.status, browser.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert b"no such page" in browser.body
    assert "default-src 'none'" in browser.headers["Content-Security-Policy"]
    for path, accept in (("/no/such/page", "application/json"), ("/views/none.js", "*/*")):
        program = await site.ask("GET", path, headers={"Accept": accept})
        assert (program.status, program.headers["Content-Type"]) == (404, "application/problem+json")
