"""Settings: layers in order, unknown keys refused, nothing read from elsewhere."""

from pathlib import Path

import pytest

from gateway import wiring
from gateway.keys import Jwks
from gateway.settings import DEFAULTS, load
from gateway.sockets.limits import SocketLimits
from persistence.errors import SetupError
from persistence.objects import ObjectStore


def test_the_defaults_are_whole() -> None:
    settings = load(None, {}, {})
    assert settings.web_url == "http://127.0.0.1:8080"
    assert settings.shards.checkpoint_interval_s < 30, "durable after 30 s at the latest (design 4.5)"
    assert settings.ray.dashboard_host == "127.0.0.1"


def test_file_then_environment_then_command_line(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    file.write_text("[shards]\ncount = 3\nconnections = 3\n[web]\nport = 9000\n")
    environment = {"PLAYHEAD_SHARDS_COUNT": "4", "PLAYHEAD_WEB_PORT": "9001", "HOME": "/nowhere"}
    settings = load(file, environment, {"web.port": 9002, "data.folder": None})
    assert (settings.shards.connections, settings.shards.count, settings.web.port) == (3, 4, 9002)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[shards]\nnumber = 3\n", "number"),
        ("[shrads]\ncount = 3\n", "shrads"),
        ('[shards]\ncount = "many"\n', "shards.count"),
        ("[sockets]\nadmit_per_s = 0\n", "sockets.admit_per_s"),
        ("[shards\n", "site.toml"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, text: str, named: str) -> None:
    file = tmp_path / "site.toml"
    file.write_text(text)
    with pytest.raises(SetupError, match=named):
        load(file, {}, {})


def test_an_unknown_key_of_the_environment_is_refused() -> None:
    with pytest.raises(SetupError, match="cuont"):
        load(None, {"PLAYHEAD_SHARDS_CUONT": "4"}, {})


def test_the_example_for_production_can_be_used() -> None:
    settings = load(DEFAULTS.with_name("production.toml"), {}, {})
    assert settings.ray.address and settings.sockets.public_url.startswith("wss://")


def test_f22_operators_say_how_many_come_in_and_who_stands_in_front(tmp_path: Path) -> None:
    stores = wiring.Stores(
        "postgresql://nobody", "redis://nobody", ObjectStore("http://x", "", "", "", "", "")
    )
    usual = wiring.socket_settings(load(None, {}, {}), stores, Jwks(()))
    assert usual.limits == SocketLimits(), "the defaults stand in one place and mean the same in the other"
    own = {"sockets.admit_per_s": 40.0, "sockets.proxies": ["10.0.0.0/8"]}
    given = wiring.socket_settings(load(None, {}, own), stores, Jwks(()))
    admission = given.limits.admission
    assert (admission.per_s, admission.per_s_min, admission.burst) == (40.0, 40.0, 8)
    assert given.drain_accept_per_s == 40.0 and given.limits.proxies == ("10.0.0.0/8",)


def test_rule_18_more_connections_than_postgres_has_are_refused() -> None:
    settings = load(None, {}, {"shards.count": 40})
    with pytest.raises(SetupError, match="max_connections"):
        wiring.check_budget(settings, 90)
    wiring.check_budget(settings, 100)


def test_other_commands_are_told_where_the_data_are(tmp_path: Path) -> None:
    assert load(None, {}, {}).data_option == ""
    assert load(None, {}, {"data.folder": str(tmp_path)}).data_option == f" --data {tmp_path}"


def test_programs_are_told_where_the_sockets_are() -> None:
    assert load(None, {}, {"sockets.port": 9_001}).socket_url == "ws://127.0.0.1:9001/v1/socket"
