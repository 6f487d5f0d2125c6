"""What an item holds, by its kind: what is valid, which part of it students may see, and how long it is.

Kinds nobody knows are kept as they are. Of the known ones students see what is listed here and nothing
else, so that a field somebody adds is not shown before somebody says that it may be.
"""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from persistence.errors import PlayheadError

MEDIA_OF = {"video": "hls", "pdf": "pdf"}
MEDIA_KINDS = frozenset(MEDIA_OF)
"""Kinds whose versions come from files; of all others a version is made of the content itself."""

PART_CHARS = 1500
"""About a screen of text: the unit in which a text's place is counted (1,000 ms each, as a page of a PDF)."""

VERSION_HEX = 24


class BadContent(PlayheadError):
    """The content of an item is not what its kind has; the message names item and field."""


class Text(msgspec.Struct, frozen=True):
    """A page to read."""

    markdown: Annotated[str, Meta(min_length=1)]


class Assignment(msgspec.Struct, frozen=True):
    """Something to hand in; `markdown` says what."""

    markdown: Annotated[str, Meta(min_length=1)]


class Choice(msgspec.Struct, frozen=True):
    """One answer to choose from."""

    id: Annotated[str, Meta(min_length=1, max_length=64)]
    text: str


class Question(msgspec.Struct, frozen=True):
    """One question: `kind` is `one`, `many`, `text` or one nobody knows yet. `answers` are ids of choices, or
    accepted texts."""

    id: Annotated[str, Meta(min_length=1, max_length=64)]
    text: Annotated[str, Meta(min_length=1)]
    kind: str = "one"
    choices: list[Choice] = []
    answers: list[str] = []


class Quiz(msgspec.Struct, frozen=True):
    """Questions, each a register of its own (P28): at most 200."""

    questions: Annotated[list[Question], Meta(min_length=1, max_length=200)]


SHAPES: Mapping[str, type[msgspec.Struct]] = {"text": Text, "quiz": Quiz, "assignment": Assignment}

SEEN: Mapping[str, frozenset[str]] = {
    "video": frozenset(),
    "pdf": frozenset(),
    "text": frozenset({"markdown"}),
    "assignment": frozenset({"markdown", "due_at", "points", "submission"}),
    "quiz": frozenset({"markdown", "questions", "attempts_max", "time_limit_s", "shuffle"}),
}
"""The fields students see, by kind; of kinds that are not here, all."""

QUESTION_SEEN = frozenset({"id", "text", "kind", "choices", "points"})
CHOICE_SEEN = frozenset({"id", "text"})

Content = dict[str, Any]


def check(item: str, kind: str, content: Content) -> None:
    """Raises `BadContent` if it is not what its kind has. Fields no kind knows are fine."""
    shape = SHAPES.get(kind)
    if shape is None:
        return
    try:
        found = msgspec.convert(content, shape)
    except msgspec.ValidationError as error:
        raise BadContent(f"{item}: {error}") from error
    if isinstance(found, Quiz):
        _check_questions(item, found.questions)


def _check_questions(item: str, questions: list[Question]) -> None:
    _once(item, "question", (question.id for question in questions))
    for question in questions:
        _once(item, f"choice of {question.id}", (choice.id for choice in question.choices))
        known = {choice.id for choice in question.choices}
        if question.kind in ("one", "many") and not known.issuperset(question.answers):
            raise BadContent(f"{item}: an answer of {question.id} is none of its choices")


def _once(item: str, what: str, ids: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in ids:
        if name in seen:
            raise BadContent(f"{item}: the {what} {name} stands twice; rename one")
        seen.add(name)


def public(kind: str, content: Content) -> Content:
    """What students may see of it."""
    seen = SEEN.get(kind)
    if seen is None:
        return content
    shown = _only(content, seen)
    if kind == "quiz":
        shown["questions"] = [_question_shown(question) for question in content.get("questions", [])]
    return shown


def _question_shown(question: Content) -> Content:
    shown = _only(question, QUESTION_SEEN)
    if "choices" in shown:
        shown["choices"] = [_only(choice, CHOICE_SEEN) for choice in shown["choices"]]
    return shown


def _only(fields: Content, names: frozenset[str]) -> Content:
    return {name: value for name, value in fields.items() if name in names}


def secret(kind: str, content: Content) -> Content:
    """The whole of it if there is something in it that students may not see, else nothing."""
    return {} if public(kind, content) == content else content


def version_name(salt: bytes, kind: str, content: Content) -> str:
    """The name of the version that is made of a content: the same content, the same name.

    With `salt`, which nobody outside knows: or answers could be guessed until the name fits.
    """
    text = msgspec.json.encode([kind, content], order="deterministic")
    return "t" + hmac.new(salt, text, hashlib.sha256).hexdigest()[:VERSION_HEX]


def duration_ms(kind: str, content: Content) -> int:
    """How long a version that is made of content is: a text 1,000 ms a screen, what has no place 0."""
    if kind != "text":
        return 0
    return max(1, -(-len(content.get("markdown", "")) // PART_CHARS)) * 1000


def document(kind: str, content: Content) -> Content:
    """What `item_version.media` has of a version that is made of content: its kind first, nothing secret."""
    return {"kind": kind, **{name: value for name, value in public(kind, content).items() if name != "kind"}}
