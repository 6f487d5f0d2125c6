"""Uploads over HTTP: an instructor sends a file straight into the object store, by addresses given here.

The addresses are signed for one length and one type; keys are made here (S1, S3). What arrived is looked at
when it is said to be complete, and made ready by a task of the cluster.
"""

import time
import uuid
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from actors.processing import Processing
from gateway.http import file_kinds
from gateway.http.problems import Problem, not_found, unavailable
from gateway.http.routes import Call, Route, Who
from persistence import uploads
from persistence.errors import StoreError, StoreUnavailable
from persistence.ids import ID_PATTERN
from persistence.items import EDITS_MAX
from persistence.objects import SEND_S, Objects, Part, part_bytes, presign_put
from persistence.uploads import Purpose, State, Upload

URLS_AT_ONCE = 16
"""Parts one answer has addresses for: they end soon, and most of a large file's would unused."""

KIND_OF = {"video": "video", "captions": "video", "poster": "video", "pdf": "pdf"}
"""Which kind of item a file is for."""

Ms = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Edit = dict[Literal["cut", "insert"], tuple[Ms, Ms]]


class NewUpload(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file to send. `item` may be missing for the poster of the course itself.

    `edits` say how a video was made of the version before: `{"cut": [from, to]}`, `{"insert": [at, length]}`
    in content ms of that one. `language` (BCP 47) and `label` are of captions.
    """

    purpose: Purpose
    file_name: Annotated[str, Meta(min_length=1, max_length=16384)]
    content_type: Annotated[str, Meta(max_length=100)]
    length_bytes: Annotated[int, Meta(ge=1, le=2**53)]
    item: Annotated[str, Meta(pattern=ID_PATTERN)] | None = None
    edits: Annotated[list[Edit], Meta(max_length=EDITS_MAX)] = []
    language: Annotated[str, Meta(pattern=r"^(?:[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8}){0,4})?$")] = ""
    label: Annotated[str, Meta(max_length=60)] = ""


class SentPart(msgspec.Struct, frozen=True):
    """A part that is in the store; numbers begin at 1."""

    number: int
    etag: str
    length_bytes: int = 0


class PartAddress(msgspec.Struct, frozen=True):
    """Where to PUT a part: exactly `length_bytes`, with the upload's `content_type`."""

    number: int
    length_bytes: int
    url: str


class UploadAnswer(msgspec.Struct, frozen=True):
    """An upload as it stands.

    While it is `uploading`, `parts` has addresses for the next missing parts, good for `expires_in_s`: when
    they are sent, ask again, until there are none, then complete. `fraction` is of the state it is in.
    `reason` says to people why it failed. `version` is what the item's draft shows now; `key` names a poster.
    """

    upload: str
    course: str
    item: str | None
    purpose: str
    file_name: str
    content_type: str
    length_bytes: int
    language: str
    label: str
    state: State
    fraction: float
    reason: str
    version: str | None
    key: str | None
    part_bytes: int
    parts_total: int
    created_at: str
    parts_done: list[SentPart] = []
    parts: list[PartAddress] = []
    expires_in_s: int = 0


class UploadList(msgspec.Struct, frozen=True):
    """The latest uploads of a course, the newest first; without their parts."""

    uploads: list[UploadAnswer]


class Complete(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was sent, where the sender noted it: then it is compared with what the store has."""

    parts: Annotated[list[SentPart], Meta(max_length=10_000)] = []


def routes() -> list[Route]:
    """Uploads, for instructors of the course."""
    one, student = "/v1/teaching/uploads/{upload}", Who.STUDENT
    of_course = "/v1/teaching/courses/{course}/uploads"
    return [
        Route(
            "POST",
            of_course,
            student,
            begin,
            "Begin to upload a file to a course",
            UploadAnswer,
            takes=NewUpload,
            problems=(404, 409, 413, 422),
            keyed=True,
            teaches="instructor",
        ),
        Route(
            "GET",
            of_course,
            student,
            listed,
            "The latest uploads of a course",
            UploadList,
            problems=(404,),
            teaches="instructor",
        ),
        Route(
            "GET",
            one,
            student,
            show,
            "An upload, with addresses for what is missing",
            UploadAnswer,
            problems=(404,),
        ),
        Route(
            "POST",
            one + "/complete",
            student,
            complete,
            "Say that all of a file was sent",
            UploadAnswer,
            takes=Complete,
            problems=(404, 409, 422),
        ),
        Route("DELETE", one, student, abort, "Abort an upload", None, problems=(404, 409), status=204),
    ]


async def begin(call: Call) -> UploadAnswer:
    """`POST /v1/teaching/courses/{course}/uploads`: once by its key, however often it is sent."""
    new, course, key = call.body(NewUpload), call.path_id("course"), call.idempotency_key()
    found = await uploads.rights(call.deps.postgres, call.student, course, new.item)
    if not found.instructor or (new.item is not None and found.kind is None):
        raise not_found()
    _check(new, found.kind)
    wanted = uploads.Wanted(
        course=course,
        item=new.item,
        purpose=new.purpose,
        file_name=new.file_name,
        content_type=new.content_type,
        length_bytes=new.length_bytes,
        edits=[{kind: list(pair) for kind, pair in edit.items()} for edit in new.edits],
        language=new.language,
        label=new.label,
    )
    try:
        upload = await uploads.begin(
            call.deps.postgres, call.student, key, wanted, part_bytes(new.length_bytes)
        )
    except uploads.KeyReused as error:
        raise Problem(409, "key_reused", str(error)) from error
    except uploads.TooManyUploads as error:
        raise Problem(409, "too_many_uploads", str(error)) from error
    return await _answer(call, upload)


def _check(new: NewUpload, kind: str | None) -> None:
    """Raise a 413 or 422 for what cannot become anything."""
    file_kinds.check(new.purpose, new.content_type, new.length_bytes)
    if new.item is None and new.purpose != "poster":
        raise Problem(422, "no_item", "item: say which item of the course the file is for.")
    if kind is not None and kind != KIND_OF[new.purpose]:
        raise Problem(
            422, "wrong_kind", f"A file for {new.purpose} belongs to a {KIND_OF[new.purpose]} item."
        )
    if new.purpose == "captions" and not new.language:
        raise Problem(422, "no_language", "language: captions are in a language, such as en or pt-BR.")
    if new.edits and new.purpose != "video":
        raise Problem(422, "no_edits", "edits: only a video is cut.")
    if any(len(edit) != 1 for edit in new.edits):
        raise Problem(422, "bad_edits", 'edits: each is one {"cut": [from, to]} or {"insert": [at, length]}.')


async def listed(call: Call) -> UploadList:
    """`GET /v1/teaching/courses/{course}/uploads`."""
    found = await uploads.of_course(call.deps.postgres, call.student, call.path_id("course"))
    return UploadList([_line(upload) for upload in found])


async def show(call: Call) -> UploadAnswer:
    """`GET /v1/teaching/uploads/{upload}`: how far it is, and what to go on with after a break."""
    return await _answer(call, await _of_call(call))


async def complete(call: Call) -> UploadAnswer:
    """`POST /v1/teaching/uploads/{upload}/complete`: the same answer when it is said again (S7).

    409 while parts are missing. What is no such file as was announced fails here already.
    """
    upload, objects, processing = await _of_call(call), _objects(call), _processing(call)
    if upload.state == "aborted":
        raise Problem(422, "upload_ended", upload.reason or "The upload was aborted; begin a new one.")
    if upload.state == "uploading":
        await _assemble(objects, upload, call.body(Complete).parts)
        reason = await _why_not(objects, upload)
        if reason:
            await uploads.end(call.deps.postgres, upload.id, "failed", reason)
        elif await uploads.arrived(call.deps.postgres, upload.id) is not None:
            processing.submit(upload.id)
        upload = await _of_call(call)
    return await _answer(call, upload)


async def _assemble(objects: Objects, upload: Upload, noted: list[SentPart]) -> None:
    """Make the object of its parts, as the store has them. Raises a 409 if they are not all there."""
    if upload.parts_total == 1:
        if await objects.head(upload.key) is None:
            raise _missing([1])
        return
    there = None if upload.multipart_id is None else await objects.parts(upload.key, upload.multipart_id)
    if there is None:
        # Made already by an answer that was lost on its way, or nothing was ever sent.
        if await objects.head(upload.key) is None:
            raise _missing([1])
        return
    whole = _whole(upload, there)
    missing = [number for number in range(1, upload.parts_total + 1) if number not in whole]
    if missing:
        raise _missing(missing)
    for part in noted:
        if part.number not in whole or part.etag.strip('"') != whole[part.number].etag.strip('"'):
            raise Problem(
                409, "part_changed", f"Part {part.number} is another than was noted; send it again."
            )
    assert upload.multipart_id is not None
    try:
        await objects.complete_parts(upload.key, upload.multipart_id, [whole[n] for n in sorted(whole)])
    except StoreUnavailable:
        raise
    except StoreError:
        # Another `complete` may have been first (S7): then the store has the file, and the parts no more.
        if await objects.head(upload.key) is None:
            raise


def _missing(numbers: list[int]) -> Problem:
    some = ", ".join(str(number) for number in numbers[:10]) + (" ..." if len(numbers) > 10 else "")
    return Problem(
        409, "parts_missing", f"Not in the store: part {some}. Ask for addresses, send what is missing."
    )


async def _why_not(objects: Objects, upload: Upload) -> str:
    """Why what arrived is not what was announced (S3, U3); "" if it is."""
    stored = await objects.head(upload.key)
    if stored is None or stored.length_bytes != upload.length_bytes:
        return "The file did not arrive whole; upload it again."
    if stored.content_type.lower() != upload.content_type:
        return f"The file arrived as {stored.content_type}, not as {upload.content_type}; upload it again."
    first = await objects.beginning(upload.key, file_kinds.LOOKED_AT_BYTES)
    return file_kinds.why_not(upload.content_type, first)


async def abort(call: Call) -> None:
    """`DELETE /v1/teaching/uploads/{upload}`: whoever works on it writes no more from now on.

    It is heard within about a second, and the work stops at the next step of the encoding.
    """
    upload = await _of_call(call)
    if upload.state != "ready":
        ended = await uploads.end(call.deps.postgres, upload.id, "aborted", "it was aborted")
        # It ended by itself, or became ready, since it was read.
        upload = ended or await _of_call(call)
    if upload.state == "ready":
        raise Problem(409, "upload_ready", "The file is ready; take its version out of the draft instead.")


async def _of_call(call: Call) -> Upload:
    """The upload in the path. One 404 for no id, for what is missing, for what is another course's."""
    try:
        name = uuid.UUID(call.path_id("upload"))
    except ValueError as error:
        raise not_found() from error
    upload = await uploads.read(call.deps.postgres, call.student, name)
    if upload is None:
        raise not_found()
    return upload


def _objects(call: Call) -> Objects:
    if call.deps.objects is None:
        raise unavailable("This server has no object store; set objects.endpoint_url.", "no_object_store")
    return call.deps.objects


def _processing(call: Call) -> Processing:
    if call.deps.processing is None:
        raise unavailable("This server has no object store; set objects.endpoint_url.", "no_object_store")
    return call.deps.processing


async def _answer(call: Call, upload: Upload) -> UploadAnswer:
    """The upload, with what to send next while it is being sent."""
    line = _line(upload)
    if upload.state != "uploading":
        return line
    objects = _objects(call)
    upload, there = await _sent(call, objects, upload)
    if upload.state != "uploading":
        return _line(upload)
    whole, now_s = _whole(upload, there), time.time()
    missing = [number for number in range(1, upload.parts_total + 1) if number not in whole]
    return msgspec.structs.replace(
        line,
        fraction=sum(part.length_bytes for part in whole.values()) / upload.length_bytes,
        parts_done=[SentPart(*whole[number]) for number in sorted(whole)],
        parts=[_address(objects, upload, number, now_s) for number in missing[:URLS_AT_ONCE]],
        expires_in_s=SEND_S if missing else 0,
    )


async def _sent(call: Call, objects: Objects, upload: Upload) -> tuple[Upload, list[Part]]:
    """What the store has of an upload, which is begun there if it does not know it (any more)."""
    if upload.parts_total == 1:
        stored = await objects.head(upload.key)
        return upload, [] if stored is None else [Part(1, "", stored.length_bytes)]
    if upload.multipart_id is not None:
        there = await objects.parts(upload.key, upload.multipart_id)
        if there is not None:
            return upload, there
        if await objects.head(upload.key) is not None:
            # Put together already by a `complete` whose answer was lost.
            numbers = range(1, upload.parts_total + 1)
            return upload, [Part(number, "", upload.part_length_bytes(number)) for number in numbers]
    begun = await objects.begin_parts(upload.key, upload.content_type)
    noted = await uploads.set_multipart(call.deps.postgres, upload.id, begun, upload.multipart_id)
    if noted is not None:
        return noted, []
    # Another request was first.
    await objects.abort_parts(upload.key, begun)
    upload = await _again(call, upload)
    there = None if upload.multipart_id is None else await objects.parts(upload.key, upload.multipart_id)
    return upload, there or []


async def _again(call: Call, upload: Upload) -> Upload:
    found = await uploads.read(call.deps.postgres, call.student, upload.id)
    if found is None:
        raise not_found()
    return found


def _whole(upload: Upload, there: list[Part]) -> dict[int, Part]:
    """The parts that are as long as they must be, by number."""
    return {
        part.number: part
        for part in there
        if 1 <= part.number <= upload.parts_total
        and part.length_bytes == upload.part_length_bytes(part.number)
    }


def _address(objects: Objects, upload: Upload, number: int, now_s: float) -> PartAddress:
    length_bytes = upload.part_length_bytes(number)
    part = None if upload.multipart_id is None else (upload.multipart_id, number)
    signed = presign_put(objects.store, upload.key, upload.content_type, length_bytes, now_s, part)
    return PartAddress(number, length_bytes, signed.url)


def _line(upload: Upload) -> UploadAnswer:
    return UploadAnswer(
        upload=str(upload.id),
        course=upload.course,
        item=upload.item,
        purpose=upload.purpose,
        file_name=upload.file_name,
        content_type=upload.content_type,
        length_bytes=upload.length_bytes,
        language=upload.language,
        label=upload.label,
        state=upload.state,
        fraction=1.0 if upload.state == "ready" else upload.fraction,
        reason=upload.reason,
        version=upload.version,
        key=upload.made_key if upload.state == "ready" and upload.purpose == "poster" else None,
        part_bytes=upload.part_bytes,
        parts_total=upload.parts_total,
        created_at=upload.created_at.isoformat(),
    )
