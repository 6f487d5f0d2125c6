"""YAML whose values know their lines: read into structs, with every problem found and none of its tricks.

Every scalar is text and becomes what its field wants: `language: no` is Norwegian and `0:30` no number to
the base of 60. Anchors, tags, merge keys and doubled keys are refused: nothing in a file grows or runs.
"""

import difflib
import types
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar, Union, get_args, get_origin

import msgspec
import yaml

from persistence.errors import PlayheadError

FILE_MAX_BYTES = 512 * 1024
"""A larger YAML file is refused unread: it is parsed by Python, at about 100 KB/s."""

_TAGS = frozenset(
    f"tag:yaml.org,2002:{name}"
    for name in ("str", "int", "float", "bool", "null", "timestamp", "value", "map", "seq")
)
_NULLS = frozenset(("", "~", "null"))


class Problem(NamedTuple):
    """Something of a course folder that has to be mended; `line` counts from 1, 0 is the file as a whole."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}" if self.line else f"{self.file}: {self.message}"


class CourseRefused(PlayheadError):
    """A course folder cannot be imported; `problems` are all that were found, and nothing was changed."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        count = len(self.problems)
        head = "1 problem has" if count == 1 else f"{count} problems have"
        listed = "".join(f"\n  {problem}" for problem in self.problems)
        super().__init__(f"{head} to be mended before the course can be imported:{listed}")


class Lined(msgspec.Struct, frozen=True, kw_only=True):
    """A mapping of a file. `lines` has the line of each key, and under "" that of the mapping itself."""

    lines: dict[str, int] = {}

    def line(self, field: str = "") -> int:
        """Where a field stands; where the mapping begins if it is not there."""
        return self.lines.get(field) or self.lines.get("", 0)


Wanted = TypeVar("Wanted", bound=Lined)


class _Plain(yaml.SafeLoader):
    """Composes nodes only; constructs nothing."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(
                problem="*names of anchors are not used here; write it out", problem_mark=mark
            )
        return super().compose_node(parent, index)


def read_yaml(path: Path, file: str, kind: type[Wanted], problems: list[Problem]) -> Wanted | None:
    """The mapping in a YAML file as `kind`; None, and what is wrong in `problems`, if it cannot be that.

    `file` is how the file is called in problems. Reading goes on after a problem, so that all are told.
    """
    before = len(problems)
    node = _composed(path, file, problems)
    if node is None:
        return None
    found = _Builder(file, problems).build(node, kind, "the file")
    return found if len(problems) == before else None


def _composed(path: Path, file: str, problems: list[Problem]) -> yaml.Node | None:
    try:
        with path.open("rb") as opened:
            read = opened.read(FILE_MAX_BYTES + 1)
        if len(read) > FILE_MAX_BYTES:
            problems.append(
                Problem(file, 0, f"has more than {FILE_MAX_BYTES} bytes; put long texts into files")
            )
            return None
        node = yaml.compose(read.decode("utf-8-sig"), Loader=_Plain)
    except OSError as error:
        problems.append(
            Problem(file, 0, f"cannot be read ({error.strerror}); is it there, and yours to read?")
        )
    except UnicodeDecodeError as error:
        line = read[: error.start].count(b"\n") + 1
        problems.append(Problem(file, line, "is not UTF-8; save it with that encoding"))
    except RecursionError:
        problems.append(
            Problem(file, 0, "is nested too deeply; a course has sections, items, and little below")
        )
    except yaml.YAMLError as error:
        problems.append(_of_yaml(file, error))
    else:
        if node is None:
            problems.append(Problem(file, 0, "is empty; see docs/courses.md for what belongs there"))
        return node
    return None


def _of_yaml(file: str, error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    said = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be read"
    line = mark.line + 1 if mark is not None else 0
    return Problem(
        file, line, f"is no YAML ({said}); mind the indentation, and quote texts with `: ` or ` #`"
    )


@dataclass(frozen=True, slots=True)
class _Builder:
    """Turns the nodes of one file into structs."""

    file: str
    problems: list[Problem]

    def wrong(self, node: yaml.Node, message: str) -> None:
        """Note a problem where the node stands."""
        self.problems.append(Problem(self.file, node.start_mark.line + 1, message))

    def build(self, node: yaml.Node, kind: Any, name: str) -> Any:
        """The node as `kind`; None after a problem."""
        if node.tag not in _TAGS:
            self.wrong(node, f"{name}: {node.tag} means nothing here; write plain text, in quotes if need be")
            return None
        origin = get_origin(kind)
        if origin in (Union, types.UnionType):
            if _is_null(node):
                return None
            [kind] = [one for one in get_args(kind) if one is not types.NoneType]
            origin = get_origin(kind)
        if isinstance(kind, type) and issubclass(kind, Lined):
            return self._struct(node, kind, name)
        if origin is tuple:
            return self._tuple(node, kind, name)
        if origin is dict:
            return self._texts(node, name)
        if origin is Literal:
            return self._choice(node, get_args(kind), name)
        return self._scalar(node, kind, name)

    def _pairs(self, node: yaml.Node, name: str) -> list[tuple[str, yaml.Node, yaml.Node]]:
        """Key, its node and the value's. Keys are single and plain."""
        if not isinstance(node, yaml.MappingNode):
            self.wrong(node, f"{name} must be a mapping, lines of `key: value`")
            return []
        pairs: dict[str, tuple[str, yaml.Node, yaml.Node]] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag not in _TAGS:
                self.wrong(key, f"{name}: a key must be a plain word")
            elif key.value in pairs:
                self.wrong(key, f"{name} has `{key.value}` twice; keep one of them")
            else:
                pairs[key.value] = (key.value, key, value)
        return list(pairs.values())

    def _struct(self, node: yaml.Node, kind: type[Lined], name: str) -> Lined | None:
        fields = {field.name: field for field in msgspec.structs.fields(kind) if field.name != "lines"}
        before, values = len(self.problems), {}
        lines = {"": node.start_mark.line + 1}
        for key, key_node, value in self._pairs(node, name):
            lines[key] = key_node.start_mark.line + 1
            if key not in fields:
                close = difflib.get_close_matches(key, fields, 1)
                hint = f"did you mean `{close[0]}`?" if close else f"there are {', '.join(fields)}"
                self.wrong(key_node, f"{name} has no `{key}`; {hint}")
            elif not (_is_null(value) and not fields[key].required):
                values[key] = self.build(value, fields[key].type, key)
        if isinstance(node, yaml.MappingNode):
            for field in fields.values():
                if field.required and field.name not in lines:
                    self.wrong(node, f"{name} has no `{field.name}`; add it")
        return kind(**values, lines=lines) if len(self.problems) == before else None

    def _tuple(self, node: yaml.Node, kind: Any, name: str) -> tuple[Any, ...]:
        element = get_args(kind)[0]
        if isinstance(node, yaml.ScalarNode) and element is str and not _is_null(node):
            return (self._scalar(node, str, name),)  # one text is a list of one
        if not isinstance(node, yaml.SequenceNode):
            self.wrong(node, f"{name} must be a list, lines that begin with `- `")
            return ()
        return tuple(self.build(one, element, f"one of {name}") for one in node.value)

    def _texts(self, node: yaml.Node, name: str) -> dict[str, str]:
        pairs = self._pairs(node, name)
        return {key: self.build(value, str, f"{name}.{key}") for key, _, value in pairs}

    def _choice(self, node: yaml.Node, choices: tuple[str, ...], name: str) -> str | None:
        text = self._scalar(node, str, name)
        if text is not None and text not in choices:
            self.wrong(node, f"{name} is {text[:60]!r}; it is one of {', '.join(filter(None, choices))}")
            return None
        return None if text is None else str(text)

    def _scalar(self, node: yaml.Node, kind: Any, name: str) -> Any:
        if not isinstance(node, yaml.ScalarNode) or node.tag not in _TAGS:
            self.wrong(node, f"{name} must be a plain text or number, in one value")
            return None
        if kind is str:
            if "\0" in node.value:
                self.wrong(node, f"{name} has a zero byte in it; take it out")
            return node.value
        try:
            return msgspec.convert(node.value, kind, strict=False)
        except msgspec.ValidationError:
            self.wrong(node, f"{name} is {node.value[:60]!r}; it must be a whole number")
            return None


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.style is None and node.value in _NULLS
