"""All settings, read once at the entry from TOML and the environment; an unknown key is an error."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from persistence.errors import SetupError

DEFAULTS = Path(__file__).parent.parent / "config" / "default.toml"
PREFIX = "PLAYHEAD_"


class Data(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where one machine keeps what it keeps."""

    folder: str


class PostgresPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The primary; an empty DSN means the embedded server."""

    dsn: str
    web_connections: int


class RedisPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The cache; an empty URL means the embedded server."""

    url: str


class ObjectsPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The object store; an empty endpoint means the embedded one."""

    endpoint_url: str
    public_url: str
    region: str
    access_key: str
    secret_key: str
    bucket: str
    media_base_url: str
    media_token_key: str


class RayPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The cluster; an empty address means one of our own on this machine."""

    address: str
    dashboard_host: str
    dashboard_port: int


class ShardsPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many shards, and how they write."""

    count: int
    connections: int
    checkpoint_interval_s: float
    flush_after_s: float
    idle_eviction_s: float


class ScalingPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Automatic sizing of the shards, see actors/core/sizing.py. Times in s."""

    automatic: bool
    shards_min: int
    shards_max: int
    sessions_low: float
    sessions_high: float
    cpu_low: float
    cpu_high: float
    up_after_s: float
    down_after_s: float
    rest_s: float
    look_every_s: float
    cores_per_actor: float


class SocketsPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The socket gateways; several share the port."""

    count: int
    host: str
    port: int
    public_url: str
    allowed_origins: list[str]
    proxies: list[str]
    admit_per_s: Annotated[float, Meta(gt=0)]
    tls_certificate: str
    tls_key: str


class WebPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The web gateway."""

    host: str
    port: int


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything a person may set; see config/default.toml for what each key means."""

    data: Data
    postgres: PostgresPart
    redis: RedisPart
    objects: ObjectsPart
    ray: RayPart
    shards: ShardsPart
    scaling: ScalingPart
    sockets: SocketsPart
    web: WebPart

    @property
    def folder(self) -> Path:
        """The data folder, absolute."""
        return Path(self.data.folder).absolute()

    @property
    def data_option(self) -> str:
        """What other commands need to find this data folder, after a space; "" where they look anyway."""
        usual = _read(DEFAULTS)["data"]["folder"]
        return "" if self.folder == Path(usual).absolute() else f" --data {self.folder}"

    @property
    def socket_url(self) -> str:
        """Where programs on this machine open sockets."""
        return f"ws://{self.sockets.host}:{self.sockets.port}/v1/socket"

    @property
    def web_url(self) -> str:
        """Where the pages are."""
        return f"http://{self.web.host}:{self.web.port}"


def load(path: Path | None, environment: Mapping[str, str], overrides: Mapping[str, Any]) -> Settings:
    """Settings from the defaults, then a file, then PLAYHEAD_<SECTION>_<KEY>, then `overrides`.

    `overrides` maps `section.key` to a value; None leaves the key as it is. Raises `SetupError`.
    """
    layers = _read(DEFAULTS)
    if path is not None:
        for section, values in _read(path).items():
            layers.setdefault(section, {}).update(values)
    for name, text in environment.items():
        section, _, key = name.removeprefix(PREFIX).lower().partition("_")
        if name.startswith(PREFIX) and section in layers:
            layers[section][key] = text
    for dotted, value in overrides.items():
        if value is not None:
            section, _, key = dotted.partition(".")
            layers[section][key] = value
    try:
        return msgspec.convert(layers, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise SetupError(f"a setting cannot be used: {error}; see config/default.toml for the keys") from None


def from_environment(path: Path | None, overrides: Mapping[str, Any]) -> Settings:
    """`load` with this process's environment: the only place that reads it."""
    return load(path, os.environ, overrides)


def _read(path: Path) -> dict[str, dict[str, Any]]:
    try:
        return tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise SetupError(
            f"the settings file {path} cannot be read: {error}; mend it or name another"
        ) from None
