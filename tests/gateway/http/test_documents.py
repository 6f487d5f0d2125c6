"""How an item is read: a PDF's addresses in the object store, the words of a text, one 404 for the rest."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.http import documents
from gateway.http.documents import file_name
from gateway.http.settings import WebSettings
from persistence import items, students
from persistence.media import Pdf, Text
from persistence.objects import open_objects
from tests.gateway.http.conftest import Web, running

PDF = b"%PDF-1.4\n% a file of few bytes\n"
MISSING = {"status": 404, "code": "not_found"}


@dataclass(frozen=True)
class Shelf:
    """A course with a PDF and a text, and the student who is in it."""

    web: Web
    student: str
    pdf: str
    text: str
    quiz: str


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shelf(web: Web, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shelf]:
    mark = uuid.uuid4().hex[:8]
    store, postgres = web.deps.settings.objects, web.deps.postgres
    assert store is not None
    course = await postgres.value("SELECT id FROM course WHERE published LIMIT 1")
    key, student = f"course/{mark}/handout.pdf", f"reader-{mark}"
    path = tmp_path_factory.mktemp("documents") / "handout.pdf"
    path.write_bytes(PDF)
    async with open_objects(store) as objects:
        await objects.ensure_bucket()
        await objects.put_file(key, path, "application/pdf")
    pdf = Pdf("pdf", key, pages=7, length_bytes=len(PDF))
    await items.put(
        postgres,
        [
            items.Item(f"pdf-{mark}", course, "pdf", 'Handout: "words" / Übung', "v1"),
            items.Item(f"text-{mark}", course, "text", "Words", "v1"),
            items.Item(f"quiz-{mark}", course, "quiz", "Quiz", "v1"),
        ],
        [
            items.Version(f"pdf-{mark}", "v1", 7_000, pdf.document()),
            items.Version(f"text-{mark}", "v1", 3_000, Text("text", "# Hello\n").document()),
            items.Version(f"quiz-{mark}", "v1", 0, {"kind": "quiz", "questions": []}),
        ],
    )
    await students.put(postgres, [students.Student(student, "Rea")])
    await students.enrol(postgres, [students.Enrolment(student, course)])
    yield Shelf(web, student, f"pdf-{mark}", f"text-{mark}", f"quiz-{mark}")


async def test_a_pdf_is_read_and_saved_under_its_title(shelf: Shelf) -> None:
    answer = await shelf.web.ask("GET", f"/v1/items/{shelf.pdf}/document", student=shelf.student)
    assert answer.status == 200
    found = answer.json
    assert (found["kind"], found["parts"], found["version"]) == ("pdf", 7, "v1")
    assert found["length_bytes"] == len(PDF)
    assert found["file_name"] == "Handout words Übung.pdf"
    assert 0 < found["expires_in_s"] <= 15 * 60
    async with shelf.web.session.get(found["url"], headers={"Range": "bytes=0-3"}) as part:
        assert (part.status, await part.read()) == (206, b"%PDF")
    async with shelf.web.session.get(found["download_url"]) as whole:
        assert (whole.status, await whole.read()) == (200, PDF)
        disposition = whole.headers["Content-Disposition"]
    assert disposition.startswith("attachment;") and "Handout%20words%20%C3%9Cbung.pdf" in disposition


async def test_s4_the_name_it_is_saved_under_is_signed(shelf: Shelf) -> None:
    found = (await shelf.web.ask("GET", f"/v1/items/{shelf.pdf}/document", student=shelf.student)).json
    forged = found["download_url"].replace("Handout", "Invoice")
    async with shelf.web.session.get(forged) as refused:
        assert refused.status == 403


async def test_a_text_comes_with_its_parts(shelf: Shelf) -> None:
    answer = await shelf.web.ask("GET", f"/v1/items/{shelf.text}/document", student=shelf.student)
    assert answer.status == 200
    found = answer.json
    assert (found["kind"], found["parts"], found["markdown"]) == ("text", 3, "# Hello\n")
    assert found["url"] == found["download_url"] == ""


async def test_h7_one_404_for_what_is_missing_anothers_or_no_document(shelf: Shelf) -> None:
    stranger = f"stranger-{uuid.uuid4().hex[:8]}"
    await students.put(shelf.web.deps.postgres, [students.Student(stranger, "Stranger")])
    for item, student in (
        (shelf.pdf, stranger),
        (shelf.text, stranger),
        (shelf.quiz, shelf.student),
        ("no-such-item", shelf.student),
    ):
        answer = await shelf.web.ask("GET", f"/v1/items/{item}/document", student=student)
        assert {name: answer.json[name] for name in MISSING} == MISSING
    assert (await shelf.web.ask("GET", f"/v1/items/{shelf.pdf}/document")).status == 401


async def test_without_an_object_store_texts_are_still_read(shelf: Shelf) -> None:
    settings: WebSettings = replace(shelf.web.deps.settings, objects=None, port=0)
    async with running(settings) as without:
        pdf = await without.ask("GET", f"/v1/items/{shelf.pdf}/document", student=shelf.student)
        assert (pdf.status, pdf.json["code"]) == (503, "no_object_store")
        text = await without.ask("GET", f"/v1/items/{shelf.text}/document", student=shelf.student)
        assert text.status == 200


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Resuming", "Resuming.pdf"),
        ("../../etc/passwd", "etc passwd.pdf"),
        ('a"b\r\nSet-Cookie: x', "a b Set-Cookie x.pdf"),
        ("  ...  ", "document.pdf"),
        ("", "document.pdf"),
        ("Größe 10 %", "Größe 10 %.pdf"),
        ("x" * 500, "x" * 120 + ".pdf"),
    ],
)
def test_u4_a_title_becomes_a_name_any_system_can_keep(title: str, name: str) -> None:
    assert file_name(title) == name


def test_a_page_lasts_as_long_as_the_client_thinks() -> None:
    source = Path(__file__).parents[3] / "frontend_demo/client/dwell.js"
    assert f"PAGE_MS = {documents.PAGE_MS:_};" in source.read_text()
