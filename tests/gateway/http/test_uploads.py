"""Uploads over HTTP, from the first request to a version in the draft, on a real store."""

import asyncio
import io
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from yarl import URL

from actors.processing import process
from gateway.http.deps import open_deps
from gateway.http.server import WebServer, make_app
from gateway.http.settings import WebSettings
from persistence import drafts, uploads
from persistence.courses import CourseContent, ItemContent, SectionContent
from persistence.errors import StoreError
from persistence.students import Enrolment, Student, enrol, put
from tests.actors.videos import CAPTIONS, make_pdf, make_picture, make_video
from tests.gateway.http.conftest import Answer, Web

UPLOADS = "/v1/teaching/courses/bees/uploads"
MIB = 1024 * 1024


@dataclass(frozen=True)
class Page:
    """An instructor's page: asks the gateway, sends to the store."""

    web: Web
    student: str = "ina"

    async def begin(self, course: str = "bees", key: str | None = None, **wanted: Any) -> Answer:
        return await self.web.ask(
            "POST",
            f"/v1/teaching/courses/{course}/uploads",
            student=self.student,
            headers={"Idempotency-Key": key or uuid.uuid4().hex},
            json=wanted,
        )

    async def ask(self, method: str, upload: str, more: str = "", **others: Any) -> Answer:
        return await self.web.ask(
            method, f"/v1/teaching/uploads/{upload}{more}", student=self.student, **others
        )

    async def put(self, url: str, body: bytes, content_type: str) -> int:
        async with self.web.session.put(
            URL(url, encoded=True), data=io.BytesIO(body), headers={"Content-Type": content_type}
        ) as answer:
            await answer.read()
            return answer.status

    async def send(self, file: Path, purpose: str, content_type: str, **more: Any) -> Any:
        """Begin, send every part, complete: the upload as it stands then."""
        data = await asyncio.to_thread(file.read_bytes)
        wanted = {"purpose": purpose, "file_name": file.name, "content_type": content_type, **more}
        begun = await self.begin(length_bytes=len(data), **wanted)
        assert begun.status == 200, begun.json
        stands = begun.json
        while stands["parts"]:
            for part in stands["parts"]:
                at = (part["number"] - 1) * stands["part_bytes"]
                assert await self.put(part["url"], data[at : at + part["length_bytes"]], content_type) == 200
            stands = (await self.ask("GET", stands["upload"])).json
        assert stands["fraction"] == 1
        completed = await self.ask("POST", stands["upload"], "/complete")
        assert completed.status == 200, completed.json
        return completed.json

    async def until_ended(self, upload: str) -> Any:
        async with asyncio.timeout(60):
            while (stands := (await self.ask("GET", upload)).json)["state"] == "processing":  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        return stands


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def web(web_settings: WebSettings) -> AsyncIterator[Web]:
    """A gateway that processes uploads itself, so that no cluster has to be there."""
    async with open_deps(web_settings, start=process) as deps:
        await put(deps.postgres, [Student("ina", "Ina"), Student("tom", "Tom"), Student("ann", "Ann")])
        sections = [
            SectionContent("", [ItemContent("hive", "video", "Hive"), ItemContent("notes", "pdf", "Notes")])
        ]
        await drafts.write(deps.postgres, "bees", CourseContent("Bees", sections=sections), "ina", None)
        await drafts.write(deps.postgres, "ants", CourseContent("Ants"), "ann", None)
        await enrol(
            deps.postgres,
            [
                Enrolment("ina", "bees", "instructor"),
                Enrolment("tom", "bees", "assistant"),
                Enrolment("mira", "bees"),
                Enrolment("ann", "ants", "instructor"),
            ],
        )
        server = WebServer(make_app(deps), deps.settings)
        host, port = await server.start()
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
            try:
                yield Web(deps, host, port, session)
            finally:
                await server.stop()


@pytest.fixture(scope="module")
def page(web: Web) -> Page:
    return Page(web)


def _video(**more: Any) -> dict[str, Any]:
    wanted = {"item": "hive", "purpose": "video", "file_name": "a.mp4", "content_type": "video/mp4"}
    return {**wanted, "length_bytes": 20 * MIB, **more}


async def test_a_video_is_sent_made_ready_and_stands_in_the_draft(page: Page, tmp_path: Path) -> None:
    sent = await page.send(make_video(tmp_path / "hive.mp4"), "video", "video/mp4", item="hive")
    assert sent["state"] in ("processing", "ready") and sent["parts"] == []
    ready = await page.until_ended(sent["upload"])
    assert (ready["state"], ready["fraction"], ready["reason"], ready["file_name"]) == (
        "ready",
        1,
        "",
        "hive.mp4",
    )
    draft = await drafts.read(page.web.deps.postgres, "bees")
    assert draft is not None
    assert {one.id: one.version for one in draft.content.items()} == {"hive": ready["version"], "notes": None}
    captions = tmp_path / "en.vtt"
    captions.write_bytes(CAPTIONS)
    texts = await page.send(captions, "captions", "text/vtt", item="hive", language="en", label="English")
    assert (await page.until_ended(texts["upload"]))["state"] == "ready"
    listed = await page.web.ask("GET", UPLOADS, student="ina")
    names = [one["file_name"] for one in listed.json["uploads"]]
    assert names[:2] == ["en.vtt", "hive.mp4"]


async def test_a_poster_of_the_course_gives_the_key_for_its_draft(page: Page, tmp_path: Path) -> None:
    sent = await page.send(make_picture(tmp_path / "bee.png"), "poster", "image/png")
    ready = await page.until_ended(sent["upload"])
    assert ready["state"] == "ready" and ready["key"].startswith("course/bees/") and ready["version"] is None


async def test_a_pdf_is_sent_and_one_that_is_none_fails_with_a_reason(page: Page, tmp_path: Path) -> None:
    sent = await page.send(make_pdf(tmp_path / "notes.pdf"), "pdf", "application/pdf", item="notes")
    assert (await page.until_ended(sent["upload"]))["state"] == "ready"
    broken = tmp_path / "broken.pdf"
    broken.write_bytes(b"%PDF-1.7 and nothing else")
    sent = await page.send(broken, "pdf", "application/pdf", item="notes")
    failed = await page.until_ended(sent["upload"])
    assert failed["state"] == "failed" and failed["reason"].startswith("The PDF is damaged")


async def test_a_large_file_goes_on_after_a_break_where_it_was(page: Page) -> None:
    begun = (await page.begin(**_video())).json
    assert (begun["state"], begun["part_bytes"], begun["parts_total"]) == ("uploading", 8 * MIB, 3)
    assert [part["length_bytes"] for part in begun["parts"]] == [8 * MIB, 8 * MIB, 4 * MIB]
    assert begun["expires_in_s"] == 300
    upload, second = begun["upload"], begun["parts"][1]
    assert await page.put(second["url"], b"b" * 8 * MIB, "text/html") == 403
    assert await page.put(second["url"], b"b" * 8 * MIB + b"x", "video/mp4") == 403
    assert await page.put(second["url"], b"b" * 8 * MIB, "video/mp4") == 200
    stands = (await page.ask("GET", upload)).json
    assert [part["number"] for part in stands["parts"]] == [1, 3]
    assert [(part["number"], part["length_bytes"]) for part in stands["parts_done"]] == [(2, 8 * MIB)]
    assert stands["parts_done"][0]["etag"] and stands["fraction"] == pytest.approx(0.4)
    early = await page.ask("POST", upload, "/complete")
    assert (early.status, early.json["code"]) == (409, "parts_missing") and "part 1, 3." in early.json[
        "detail"
    ]
    for part in stands["parts"]:
        assert await page.put(part["url"], b"b" * part["length_bytes"], "video/mp4") == 200
    changed = {"parts": [{"number": 1, "etag": "another"}]}
    answer = await page.ask("POST", upload, "/complete", json=changed)
    assert (answer.status, answer.json["code"]) == (409, "part_changed")
    whole = (await page.ask("GET", upload)).json
    noted = {"parts": [{"number": part["number"], "etag": part["etag"]} for part in whole["parts_done"]]}
    ended = await page.ask("POST", upload, "/complete", json=noted)
    # It is whole, but what came is no video (U3).
    assert (ended.status, ended.json["state"]) == (200, "failed")
    assert ended.json["reason"].startswith("The file is not an MP4 video")


async def test_one_answer_has_addresses_for_the_next_parts_only(page: Page) -> None:
    begun = (await page.begin(**_video(length_bytes=20 * 1024 * MIB))).json
    assert begun["parts_total"] == 2560
    assert [part["number"] for part in begun["parts"]] == list(range(1, 17))
    assert (await page.ask("DELETE", begun["upload"])).status == 204


async def test_h16_sent_again_it_is_the_same_upload_and_another_body_is_refused(page: Page) -> None:
    first, again = await page.begin(key="k1", **_video()), await page.begin(key="k1", **_video())
    assert first.status == again.status == 200 and first.json["upload"] == again.json["upload"]
    other = await page.begin(key="k1", **_video(file_name="b.mp4"))
    assert (other.status, other.json["code"]) == (409, "key_reused")
    await page.ask("DELETE", first.json["upload"])


async def test_s7_complete_is_once_and_only_of_what_was_sent(page: Page, tmp_path: Path) -> None:
    nothing = (await page.begin(**_video(length_bytes=1000))).json["upload"]
    assert (await page.ask("POST", nothing, "/complete")).status == 409
    assert (await page.ask("DELETE", nothing)).status == 204
    assert (await page.ask("DELETE", nothing)).status == 204
    assert (await page.ask("POST", nothing, "/complete")).status == 422
    sent = await page.send(make_pdf(tmp_path / "once.pdf"), "pdf", "application/pdf", item="notes")
    again = await page.ask("POST", sent["upload"], "/complete")
    assert (again.status, again.json["upload"]) == (200, sent["upload"])
    await page.until_ended(sent["upload"])
    assert (await page.ask("POST", sent["upload"], "/complete")).json["state"] == "ready"
    assert (await page.ask("DELETE", sent["upload"])).status == 409


async def test_s7_two_completes_at_once_are_both_answered(page: Page) -> None:
    for _ in range(3):
        begun = (await page.begin(**_video(length_bytes=9 * MIB))).json
        for part in begun["parts"]:
            assert await page.put(part["url"], b"b" * part["length_bytes"], "video/mp4") == 200
        answers = await asyncio.gather(*(page.ask("POST", begun["upload"], "/complete") for _ in range(2)))
        # It is no video (U3), which both hear.
        assert [(one.status, one.json.get("state")) for one in answers] == [(200, "failed")] * 2


async def test_parts_the_store_cannot_put_together_are_no_success(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = (await page.begin(**_video(length_bytes=9 * MIB))).json
    for part in begun["parts"]:
        assert await page.put(part["url"], b"b" * part["length_bytes"], "video/mp4") == 200

    async def refuses(*_: object) -> None:
        raise StoreError("the object store refused the request")

    monkeypatch.setattr(page.web.deps.objects, "complete_parts", refuses)
    assert (await page.ask("POST", begun["upload"], "/complete")).status >= 500
    assert (await page.ask("GET", begun["upload"])).json["state"] == "uploading"
    await page.ask("DELETE", begun["upload"])


async def test_an_abort_that_comes_too_late_says_so(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    upload = (await page.begin(**_video())).json["upload"]
    end = uploads.end

    async def later(*asked: Any) -> Any:
        """A worker is done in just this moment."""
        await page.web.deps.postgres.execute(
            "UPDATE upload SET state = 'ready' WHERE id = $1", uuid.UUID(upload)
        )
        return await end(*asked)

    monkeypatch.setattr(uploads, "end", later)
    answer = await page.ask("DELETE", upload)
    assert (answer.status, answer.json["code"]) == (409, "upload_ready")


async def test_h7_a8_only_instructors_of_the_course_upload(page: Page) -> None:
    upload = (await page.begin(**_video())).json["upload"]
    missing = await page.ask("GET", str(uuid.uuid4()))
    # Before it is published, a course is hidden from its students too.
    for student, status in (("mira", 404), ("tom", 403), ("ann", 404), ("zoe", 404)):
        stranger = Page(page.web, student)
        assert (await stranger.begin(**_video())).status == status
        assert (await page.web.ask("GET", UPLOADS, student=student)).status == status
        for method, more in (("GET", ""), ("POST", "/complete"), ("DELETE", "")):
            answer = await stranger.ask(method, upload, more)
            assert (answer.status, answer.body) == (404, missing.body), (student, method)
    assert (await page.ask("GET", "no-uuid")).status == 404
    assert (await page.ask("GET", upload)).json["state"] == "uploading"
    for item in ("nothing", "theirs"):
        assert (await page.begin(**_video(item=item))).status == 404
    assert (await page.begin(course="ants", **_video())).status == 404
    await page.ask("DELETE", upload)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"length_bytes": 0}, 422),
        ({"length_bytes": 21 * 1024 * MIB}, 413),
        ({"content_type": "text/html"}, 422),
        ({"content_type": "image/svg+xml", "purpose": "poster"}, 422),
        ({"content_type": "application/pdf"}, 422),
        ({"purpose": "submission"}, 422),
        ({"item": None}, 422),
        ({"item": "notes"}, 422),
        ({"purpose": "captions", "content_type": "text/vtt"}, 413),
        ({"purpose": "captions", "content_type": "text/vtt", "length_bytes": 9}, 422),
        ({"edits": [{"cut": [1, 2], "insert": [1, 2]}]}, 422),
        ({"edits": [{"swap": [1, 2]}]}, 422),
        ({"edits": [{"cut": [-1, 2]}]}, 422),
        ({"key": "../other"}, 422),
        ({"language": "<b>"}, 422),
    ],
)
async def test_s3_s4_what_cannot_become_anything_is_refused_at_once(
    page: Page, changes: dict[str, Any], status: int
) -> None:
    wanted = _video(**changes)
    answer = await page.web.ask(
        "POST", UPLOADS, student="ina", headers={"Idempotency-Key": uuid.uuid4().hex}, json=wanted
    )
    assert answer.status == status, answer.json


async def test_u4_a_hostile_name_is_stored_harmless(page: Page) -> None:
    begun = (await page.begin(**_video(file_name="../../\u202egnp.\r\nexe" + "x" * 9000))).json
    assert begun["file_name"].startswith("gnp.exe") and len(begun["file_name"]) == 255
    assert ".." not in begun["parts"][0]["url"].partition("?")[0]
    await page.ask("DELETE", begun["upload"])


async def test_two_pages_begin_the_parts_of_one_upload_at_once(page: Page) -> None:
    answers = await asyncio.gather(*(page.begin(key="together", **_video()) for _ in range(4)))
    names = {URL(one.json["parts"][0]["url"], encoded=True).query["uploadId"] for one in answers}
    assert len({one.json["upload"] for one in answers}) == 1 and len(names) == 1
    await page.ask("DELETE", answers[0].json["upload"])


async def test_an_upload_the_store_has_forgotten_begins_again(page: Page) -> None:
    begun = (await page.begin(**_video())).json
    objects = page.web.deps.objects
    assert objects is not None
    row = await page.web.deps.postgres.row("SELECT * FROM upload WHERE id = $1", uuid.UUID(begun["upload"]))
    assert row is not None
    await objects.abort_parts(row["key"], row["multipart_id"])
    stands = (await page.ask("GET", begun["upload"])).json
    assert await page.put(stands["parts"][2]["url"], b"c" * 4 * MIB, "video/mp4") == 200
    await page.ask("DELETE", begun["upload"])
