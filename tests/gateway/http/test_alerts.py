"""The alert rules ask for figures this server exports, and for nothing else."""

import re
from typing import Any

import promql_parser
import pytest
import yaml

from tests.gateway.http.conftest import Web
from tests.requirements import ROOT

RULES = ROOT / "config" / "alerts" / "playhead.rules.yml"
GROUPS: list[dict[str, Any]] = yaml.safe_load(RULES.read_text())["groups"]
EACH = [rule for group in GROUPS for rule in group["rules"]]
RECORDED = {rule["record"] for rule in EACH if "record" in rule}
NAME = re.compile(r"\bplayhead[:_][a-z0-9_:]+")


async def exported(web: Web) -> tuple[set[str], dict[str, set[str]]]:
    """Names of samples, and the labels each family has."""
    text = (await web.ask("GET", "/metrics")).body.decode()
    names: set[str] = set()
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, family, kind = line.split()
            more = ("_bucket", "_count", "_sum") if kind == "histogram" else ("",)
            names |= {family + suffix for suffix in more}
    labels: dict[str, set[str]] = {}
    for line in text.splitlines():
        if found := re.match(r"([a-z_:0-9]+)\{([^}]*)\}", line):
            labels.setdefault(found[1], set()).update(re.findall(r'(\w+)="', found[2]))
    return names, labels


async def test_every_name_in_an_expression_is_exported_or_recorded(web: Web) -> None:
    names, _ = await exported(web)
    asked = {name for rule in EACH for name in NAME.findall(rule["expr"])}
    assert asked and asked - names - RECORDED == set()


async def test_every_label_in_an_expression_is_one_the_figure_has(web: Web) -> None:
    event = {"kind": "error", "item": "intro", "version": "v2", "play": "p", "age_ms": 0, "fatal": True}
    assert (await web.ask("POST", "/v1/experience", student="mira", json={"events": [event]})).status == 204
    _, labels = await exported(web)
    for rule in EACH:
        for name, selector in re.findall(r"(playhead_[a-z_]+)\{([^}]*)\}", rule["expr"]):
            assert set(re.findall(r'(\w+)=~?"', selector)) <= labels[name], (name, selector)


def test_the_inputs_the_platform_promises_are_there() -> None:
    alerts = {rule["alert"]: rule for rule in EACH if "alert" in rule}
    assert "playhead:streaming_errors:ratio > 0.01" in alerts["PlayheadStreamingErrors"]["expr"]
    assert "playhead:buffering:ratio > 0.01" in alerts["PlayheadBuffering"]["expr"]
    for rule in alerts.values():
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"] and rule["annotations"]["description"] and rule["for"]


@pytest.mark.parametrize("rule", EACH, ids=lambda rule: rule.get("alert") or rule["record"])
def test_every_expression_is_promql(rule: dict[str, Any]) -> None:
    promql_parser.parse(rule["expr"])
    with pytest.raises(ValueError):
        promql_parser.parse(rule["expr"] + " > (")
