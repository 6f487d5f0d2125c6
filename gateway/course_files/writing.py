"""Course files as people would write them: YAML in a fixed order, long texts as blocks."""

from pathlib import Path
from typing import Any

import yaml

_HEAD = "# A course as files: docs/courses.md says what may stand here. `playhead import` reads it.\n"
_WIDTH = 100


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, and no anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Lists stand deeper than the key they belong to."""
        super().increase_indent(flow, False)


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text.rstrip("\n") else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def write_yaml(path: Path, document: dict[str, Any], head: str = _HEAD) -> None:
    """Write a mapping whose values are texts, numbers, lists and mappings."""
    written = yaml.dump(document, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=_WIDTH)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(head + written, encoding="utf-8")
