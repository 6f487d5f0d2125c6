"""The files of frontend_demo that may be read: looked up by exact URL path, never joined to one."""

import base64
import hashlib
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import msgspec

FOLDER = Path(__file__).parents[2] / "frontend_demo"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".ico": "image/vnd.microsoft.icon",
    ".woff2": "font/woff2",
    ".wasm": "application/wasm",
    ".vtt": "text/vtt; charset=utf-8",
    ".bcmap": "application/octet-stream",
    ".pfb": "application/octet-stream",
    ".ttf": "font/ttf",
    ".icc": "application/vnd.iccprofile",
}
NAMED = {
    "/": "index.html",
    "/demo": "demo.html",
    "/missing": "missing.html",
    "/favicon.ico": "favicon.svg",
    "/service_worker.js": "service_worker.js",
}
"""Pages with a name of their own, at the top or among the views."""
OPEN_FOLDERS = ("client", "views")
SHELL = re.compile(r"/|/favicon\.ico|/(client|views|vendor)/.+")
"""What a device keeps of the pages to open them off line."""
CLOSED_FOLDERS = frozenset({"test", "tests", "node_modules"})
SCAN_S = 1.0
FILE_MAX_BYTES = 8 * 1024 * 1024

_INLINE = re.compile(rb"<script(?P<attributes>[^>]*)>(?P<text>.*?)</script>", re.DOTALL | re.IGNORECASE)


class Shell(msgspec.Struct, frozen=True):
    """The pages as one whole: ETags by URL path, and a version that changes with any of them."""

    version: str
    files: dict[str, str]


@dataclass(frozen=True, slots=True)
class File:
    """A file as it is sent; `stamp` tells whether it has changed on disk."""

    stamp: tuple[int, int]
    content: bytes
    content_type: str
    etag: str
    script_hashes: tuple[str, ...]


class Files:
    """What may be read now. A path that is unknown makes it look again, at most once in `SCAN_S`."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or FOLDER
        self._paths: dict[str, Path] = {}
        self._read: dict[str, File] = {}
        self._scanned_s = -SCAN_S

    def find(self, path: str) -> File | None:
        """The file at a URL path as it is on disk now, or None."""
        if path not in self._paths and time.monotonic() >= self._scanned_s + SCAN_S:
            self._paths = dict(self._scan())
            self._scanned_s = time.monotonic()
        on_disk = self._paths.get(path)
        if on_disk is None:
            return None
        try:
            status = on_disk.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            known = self._read.get(path)
            if known is None or known.stamp != stamp:
                known = self._read[path] = _read(on_disk, stamp)
        except OSError:
            return None
        return known

    def shell(self) -> Shell:
        """Everything that makes up the pages, as it is on disk now."""
        if time.monotonic() >= self._scanned_s + SCAN_S:
            self._paths, self._scanned_s = dict(self._scan()), time.monotonic()
        found = {path: self.find(path) for path in sorted(self._paths) if SHELL.fullmatch(path)}
        etags = {path: file.etag for path, file in found.items() if file is not None}
        digest = hashlib.sha256(json.dumps(etags).encode()).hexdigest()
        return Shell(digest[:20], etags)

    def _scan(self) -> Iterator[tuple[str, Path]]:
        for name in OPEN_FOLDERS:
            for file in (self._folder / name).rglob("*"):
                relative = PurePosixPath(file.relative_to(self._folder))
                if _may_be_read(relative) and _is_inside(file, self._folder):
                    yield f"/{relative}", file
        for url, name in NAMED.items():
            for file in (self._folder / name, self._folder / "views" / name):
                if file.is_file():
                    yield url, file
                    break
        yield from self._vendor()

    def _vendor(self) -> Iterator[tuple[str, Path]]:
        """What vendor.json allows of node_modules: URL path to file; to a folder, both end in a slash."""
        try:
            allowed = json.loads((self._folder / "vendor.json").read_text())
        except (OSError, ValueError):
            return
        modules = self._folder / "node_modules"
        for url, name in _files(modules, allowed):
            file = modules / name
            if url.startswith("/vendor/") and file.suffix in TYPES and _is_inside(file, modules):
                yield url, file


def _files(modules: Path, allowed: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Each file that is allowed; of a folder those right in it."""
    for url, name in allowed.items():
        if not url.endswith("/"):
            yield url, name
        elif (modules / name).is_dir():
            for file in (modules / name).iterdir():
                yield f"{url}{file.name}", f"{name}{file.name}"


def _is_inside(file: Path, folder: Path) -> bool:
    """Whether it is a file and really lies in the folder, links followed."""
    return file.is_file() and file.resolve().is_relative_to(folder.resolve())


def _may_be_read(path: PurePosixPath) -> bool:
    return (
        path.suffix in TYPES
        and not CLOSED_FOLDERS.intersection(path.parts)
        and not any(part.startswith(".") for part in path.parts)
    )


def _read(file: Path, stamp: tuple[int, int]) -> File:
    with file.open("rb") as opened:
        content = opened.read(FILE_MAX_BYTES)
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()[:15]).decode()
    content_type = TYPES[file.suffix]
    hashes = tuple(_hashes(content)) if file.suffix == ".html" else ()
    return File(stamp, content, content_type, f'"{digest}"', hashes)


def _hashes(html: bytes) -> Iterator[str]:
    """CSP sources of the import maps in the page, which have to stand inline; of no other script."""
    for script in _INLINE.finditer(html):
        if b"importmap" in script["attributes"]:
            digest = base64.b64encode(hashlib.sha256(script["text"]).digest()).decode()
            yield f"'sha256-{digest}'"
