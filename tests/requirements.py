"""What a test may need from the machine beside Python: found here, never guessed in a test."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENDORED = ROOT / "frontend_demo" / "node_modules"


def chromium_path() -> Path | None:
    """Debian's Chromium (`chromium`), or another browser of that name on the PATH."""
    return _first("chromium", "chromium-browser", "google-chrome")


def bwrap_path() -> Path | None:
    """Bubblewrap, in which submitted code runs."""
    return _first("bwrap")


def node_path() -> Path | None:
    """Node, for tests of the JavaScript client outside a browser (`./run` puts one on the PATH)."""
    return _first("node")


def nginx_path() -> Path | None:
    """nginx, which stands for a CDN (`./run` puts Debian's into .uv without installing it as a service)."""
    private = ROOT / ".uv" / "nginx" / "usr" / "sbin" / "nginx"
    return private if private.is_file() else _first("nginx", "/usr/sbin/nginx")


def vendored_path() -> Path | None:
    """The browser libraries that `npm ci` installed."""
    return VENDORED if VENDORED.is_dir() else None


# The names `@pytest.mark.requires(...)` takes, and how to get what is missing.
TOOLS: dict[str, tuple[Callable[[], Path | None], str]] = {
    "chromium": (chromium_path, "apt-get install chromium"),
    "bwrap": (bwrap_path, "apt-get install bubblewrap"),
    "node": (node_path, "./run test"),
    "nginx": (nginx_path, "apt-get install nginx-light"),
    "vendored": (vendored_path, "./run test"),
}


def missing(names: tuple[str, ...]) -> list[str]:
    """Those of `names` this machine lacks. An unknown name is an error of the test."""
    return [name for name in names if TOOLS[name][0]() is None]


def all_required() -> bool:
    """PLAYHEAD_REQUIRE_ALL=1, as in CI: a test that is left out is a test that failed."""
    return os.environ.get("PLAYHEAD_REQUIRE_ALL") == "1"


def _first(*names: str) -> Path | None:
    for name in names:
        if found := shutil.which(name):
            return Path(found)
    return None
