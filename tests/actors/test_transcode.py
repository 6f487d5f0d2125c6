"""Real ffmpeg on a short lecture, and on files that are no video or want more than they may have."""

import os
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from actors import hls, thumbnails
from actors.ffmpeg import Limits, Run, TranscodeError, run
from actors.lecture import Chapter, Lecture, script
from actors.probe import probe
from actors.transcode import (
    Encoded,
    ladder,
    lecture_steps,
    make_lecture,
    read_encoded,
    transcode,
    transcode_steps,
)

SHORT = Lecture(
    label="Lecture 0",
    title="A test",
    course="Tests",
    duration_s=6,
    chapters=(
        Chapter("One", ("A point",), "screens"),
        Chapter("Two\nlines", ("{\\pos(0,0)}braces",), "journal"),
        Chapter("Three", (), "baton"),
    ),
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Encoded]:
    folder = tmp_path_factory.mktemp("lecture") / "made"
    return folder, make_lecture(SHORT, folder)


def _boxes(data: bytes) -> Iterator[tuple[str, int, int]]:
    """The top-level boxes of an mp4: kind, offset, length in bytes."""
    at = 0
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        yield data[at + 4 : at + 8].decode("latin-1"), at, length
        at += length


def _pixels(file: Path, filters: str) -> list[tuple[int, int, int]]:
    """The pixels of a picture after these filters, in RGB."""
    raw = file.parent / "pixels.rgb"
    made = ["-y", "-i", file.name, "-vf", f"{filters},format=rgb24", "-f", "rawvideo", raw.name]
    assert run(made, file.parent, Limits(time_s=30)).code == 0
    data = raw.read_bytes()
    return [(data[n], data[n + 1], data[n + 2]) for n in range(0, len(data), 3)]


def _shape(file: Path) -> tuple[int, int]:
    said = run(["-i", str(file)], None, Limits(time_s=30)).said
    width, height = re.findall(r", (\d+)x(\d+)", said)[0]
    return int(width), int(height)


def _keyframes_s(file: Path) -> list[float]:
    arguments = ["-skip_frame", "nokey", "-i", str(file), "-an", "-fps_mode", "passthrough"]
    said = run([*arguments, "-f", "framehash", "pipe:2"], None, Limits(time_s=30)).said
    base = next(line for line in said.splitlines() if line.startswith("#tb 0: ")).removeprefix("#tb 0: ")
    ticks = [int(line.split(",")[2]) for line in said.splitlines() if line.startswith("0,")]
    return [tick * int(base.split("/")[0]) / int(base.split("/")[1]) for tick in ticks]


def test_a_lecture_becomes_two_renditions_a_poster_and_a_plain_mp4(made: tuple[Path, Encoded]) -> None:
    folder, encoded = made
    sizes = [(r.name, r.width, r.height) for r in encoded.renditions]
    assert sizes == [("360p", 640, 360), ("720p", 1280, 720)]
    assert encoded.duration_ms == pytest.approx(6000, abs=60)
    assert all((folder / name).stat().st_size > 1000 for name in encoded.files)
    assert (folder / encoded.poster).read_bytes().startswith(b"\xff\xd8\xff")
    plain = probe(folder / encoded.plain)
    assert (plain.height, plain.has_sound) == (360, True)
    assert all(r.codecs.startswith("avc1.") and r.codecs.endswith(",mp4a.40.2") for r in encoded.renditions)
    assert all(0 < r.bitrate <= r.peak_bitrate for r in encoded.renditions)
    assert read_encoded(folder) == encoded


def test_thumbnails_are_one_sheet_told_apart_by_webvtt(made: tuple[Path, Encoded]) -> None:
    folder, encoded = made
    assert encoded.sprite == "sprite.jpg"
    sheet = _shape(folder / encoded.sprite)
    assert sheet == (480, 90)
    cues = encoded.sprite_vtt.split("\n\n")
    assert cues[0] == "WEBVTT"
    assert cues[1] == "00:00:00.000 --> 00:00:02.000\nsprite.jpg#xywh=0,0,160,90"
    assert cues[3].startswith("00:00:04.000 --> 00:00:06.0") and "xywh=320,0,160,90" in cues[3]
    assert len(cues) == 4


def test_each_thumbnail_shows_its_own_time(tmp_path: Path) -> None:
    """One colour for each two seconds: the pictures of the sheet have them in that order."""
    colours = ["red", "lime", "blue"]
    inputs = [word for c in colours for word in ("-f", "lavfi", "-i", f"color=c={c}:s=320x180:d=2:r=25")]
    joined = ["-filter_complex", "concat=n=3", "-c:v", "libx264", "-g", "300", "three.mp4"]
    assert run(["-y", *inputs, *joined], tmp_path, Limits(time_s=60)).code == 0
    encoded = transcode(tmp_path / "three.mp4", tmp_path / "out")
    assert encoded.sprite is not None
    pixels = _pixels(tmp_path / "out" / encoded.sprite, "crop=480:90,scale=3:1:flags=area")
    assert [max(range(3), key=lambda n: pixel[n]) for pixel in pixels] == [0, 1, 2]


@pytest.mark.parametrize(
    ("duration_s", "every_s", "count"),
    [(0.5, 2, 1), (6.02, 2, 3), (400, 2, 200), (401, 4, 101), (7200, 36, 200)],
)
def test_a_sheet_has_at_most_two_hundred_thumbnails(duration_s: float, every_s: int, count: int) -> None:
    sheet = thumbnails.plan(1920, 1080, duration_s)
    assert (sheet.every_s, sheet.count, sheet.width, sheet.height) == (every_s, count, 160, 90)
    assert sheet.vtt().count(" --> ") == count


def test_the_preview_is_short_small_and_silent(made: tuple[Path, Encoded], tmp_path: Path) -> None:
    folder, encoded = made
    assert encoded.preview is not None
    preview = probe(folder / encoded.preview)
    assert (preview.has_sound, preview.height) == (False, 270)
    assert preview.duration_s == pytest.approx(6, abs=0.2)
    kinds = [kind for kind, _, _ in _boxes((folder / encoded.preview).read_bytes())]
    assert kinds.index("moov") < kinds.index("mdat")
    assert (folder / encoded.preview).stat().st_size < (folder / encoded.plain).stat().st_size


def test_loudness_is_that_of_the_whole(tmp_path: Path) -> None:
    """A sine of 1 kHz at -20 dBFS in both channels has -20 LUFS, less 0 for K-weighting at 1 kHz (R 128)."""
    sine = "aevalsrc='0.1*sin(2*PI*1000*t)|0.1*sin(2*PI*1000*t)':s=48000:d=4"
    inputs = ["-f", "lavfi", "-i", "testsrc=s=320x180:r=10:d=4", "-f", "lavfi", "-i", sine]
    assert (
        run(["-y", *inputs, "-c:a", "aac", "-b:a", "192k", "sine.mp4"], tmp_path, Limits(time_s=60)).code == 0
    )
    encoded = transcode(tmp_path / "sine.mp4", tmp_path / "out")
    assert encoded.loudness_lufs == pytest.approx(-20.0, abs=0.5)


def test_what_an_earlier_version_wrote_is_still_read(made: tuple[Path, Encoded], tmp_path: Path) -> None:
    folder, encoded = made
    old = {"duration_ms": 6000, "renditions": [], "poster": encoded.poster, "plain": encoded.plain}
    (tmp_path / "media.json").write_bytes(msgspec.json.encode(old))
    for name in (encoded.poster, encoded.plain):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    read = read_encoded(tmp_path)
    assert read is not None and (read.sprite, read.preview, read.loudness_lufs) == (None, None, None)


def test_nothing_is_left_but_what_is_served(made: tuple[Path, Encoded]) -> None:
    folder, encoded = made
    kept = {*encoded.files, "media.json", "360p.m3u8", "720p.m3u8"}
    assert {file.name for file in folder.iterdir()} == kept
    assert [file.name for file in folder.parent.iterdir()] == [folder.name]


def test_the_plain_mp4_starts_with_its_index(made: tuple[Path, Encoded]) -> None:
    folder, encoded = made
    kinds = [kind for kind, _, _ in _boxes((folder / encoded.plain).read_bytes())]
    assert kinds.index("moov") < kinds.index("mdat")


def test_byte_ranges_cover_the_file_and_begin_at_boxes(made: tuple[Path, Encoded]) -> None:
    folder, encoded = made
    for rendition in encoded.renditions:
        data = (folder / rendition.file).read_bytes()
        begins = {at: kind for kind, at, _ in _boxes(data)}
        ranges = [
            line.partition(":")[2].split("@") for line in rendition.playlist.splitlines() if "@" in line
        ]
        at = 0
        assert 'URI="' in rendition.playlist.split("#EXT-X-MAP:")[1]
        map_length = int(rendition.playlist.split('BYTERANGE="')[1].split("@")[0])
        for length, offset in [(map_length, 0), *((int(a), int(b)) for a, b in ranges[1:])]:
            assert offset == at and offset in begins
            at += length
        assert at == len(data)


def test_every_segment_has_picture_and_sound_of_its_own_seconds(tmp_path: Path) -> None:
    long = Lecture("Lecture 0", "A long slide", "Tests", 64, (Chapter("One", (), "saved"),))
    encoded = make_lecture(long, tmp_path / "made")
    for rendition in encoded.renditions:
        data = (tmp_path / "made" / rendition.file).read_bytes()
        parts = [data[at : at + length] for kind, at, length in _boxes(data) if kind == "moof"]
        assert len(parts) == len(hls.segments(rendition.playlist)) == 16
        assert all(part.count(b"traf") == 2 for part in parts)
        # 4 s of sound are about 188 entries, of pictures 40, at 8 bytes each.
        assert max(len(part) for part in parts) < 3000


def test_keyframes_are_every_two_seconds_at_the_same_times(made: tuple[Path, Encoded]) -> None:
    folder, encoded = made
    low, high = (_keyframes_s(folder / rendition.file) for rendition in encoded.renditions)
    assert low == high
    assert [round(moment - low[0], 2) for moment in low] == [0, 2, 4]


def test_a_video_is_encoded_again_never_larger_and_progress_ends_at_the_end(
    made: tuple[Path, Encoded], tmp_path: Path
) -> None:
    folder, _ = made
    fractions: list[float] = []
    encoded = transcode(folder / "360p.mp4", tmp_path / "again", fractions.append)
    assert [(r.name, r.width, r.height) for r in encoded.renditions] == [("360p", 640, 360)]
    assert encoded.duration_ms == pytest.approx(6000, abs=100)
    assert fractions == sorted(fractions) and fractions and 0.9 < fractions[-1] <= 1


@pytest.mark.parametrize(
    ("size", "rungs"),
    [
        ((3840, 2160), (360, 720, 1080)),
        ((1920, 1080), (360, 720, 1080)),
        ((1080, 1920), (360, 720, 1080)),
        ((1440, 1078), (360, 720)),
        ((720, 1280), (360, 720)),
        ((854, 480), (360,)),
        ((321, 241), (240,)),
    ],
)
def test_the_ladder_never_goes_above_the_source(size: tuple[int, int], rungs: tuple[int, ...]) -> None:
    assert ladder(*size) == rungs


def test_three_rungs_have_their_keyframes_at_the_same_times(tmp_path: Path) -> None:
    # 24000/1001 pictures a second, scenes that change between the keyframes, and one keyframe of its own.
    source = ["-f", "lavfi", "-i", "testsrc2=s=1920x1080:r=24000/1001:d=5", "-f", "lavfi", "-i", "sine=d=5"]
    coded = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "500", "film.mov"]
    assert run(["-y", *source, *coded], tmp_path, Limits(time_s=60)).code == 0
    encoded = transcode(tmp_path / "film.mov", tmp_path / "out")
    assert [(r.name, r.width, r.height) for r in encoded.renditions] == [
        ("360p", 640, 360),
        ("720p", 1280, 720),
        ("1080p", 1920, 1080),
    ]
    times = [_keyframes_s(tmp_path / "out" / r.file) for r in encoded.renditions]
    assert times[0] == times[1] == times[2] and len(times[0]) == 3
    assert times[0] == pytest.approx([0, 2, 4], abs=0.05)
    cut = [[part.duration_s for part in hls.segments(r.playlist)] for r in encoded.renditions]
    assert cut[0] == cut[1] == cut[2]


def test_odd_sizes_wide_pixels_and_no_sound_are_mended(tmp_path: Path) -> None:
    source = tmp_path / "odd.mkv"
    made = [
        "-f",
        "lavfi",
        "-i",
        "testsrc=s=321x243:r=50:d=3,setsar=4/3",
        "-c:v",
        "libx264",
        "-pix_fmt",
        "yuv444p",
    ]
    assert run(["-y", *made, source.name], tmp_path, Limits(time_s=60)).code == 0
    encoded = transcode(source, tmp_path / "out")
    rendition = encoded.renditions[0]
    assert (rendition.width, rendition.height, rendition.frames_per_s) == (428, 242, 30)
    assert "mp4a" not in rendition.codecs


def test_a_text_called_mp4_is_no_video(tmp_path: Path) -> None:
    source = tmp_path / "notes.mp4"
    source.write_text("Dear diary, this is not a video.\n" * 400)
    with pytest.raises(TranscodeError, match=r"notes\.mp4 cannot be read as a video \(.+\); give an MP4"):
        transcode(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["list.mp4", "list.m3u8"])
@pytest.mark.parametrize("reference", ["file:///etc/passwd", "http://127.0.0.1:9/secret.ts", "/etc/hostname"])
def test_a_playlist_is_no_video_and_nothing_it_names_is_opened(
    tmp_path: Path, name: str, reference: str
) -> None:
    source = tmp_path / name
    source.write_text(
        f"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n{reference}\n#EXT-X-ENDLIST\n"
    )
    with pytest.raises(TranscodeError, match="cannot be read as a video") as caught:
        transcode(source, tmp_path / "out")
    assert "passwd" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:6,\nplain.mp4\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile plain.mp4\n",
    ],
)
def test_a_list_of_a_real_video_beside_it_is_no_video(
    made: tuple[Path, Encoded], tmp_path: Path, text: str
) -> None:
    (tmp_path / "plain.mp4").write_bytes((made[0] / "plain.mp4").read_bytes())
    source = tmp_path / "list.m3u8"
    source.write_text(text)
    with pytest.raises(TranscodeError, match="cannot be read as a video"):
        transcode(source, tmp_path / "out")


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    source = tmp_path / "song.m4a"
    assert run(["-y", "-f", "lavfi", "-i", "sine=d=1", source.name], tmp_path, Limits(time_s=30)).code == 0
    with pytest.raises(TranscodeError, match="it has no picture"):
        transcode(source, tmp_path / "out")


def test_a_cut_off_mp4_is_refused(made: tuple[Path, Encoded], tmp_path: Path) -> None:
    source = tmp_path / "half.mp4"
    data = bytes((made[0] / "plain.mp4").read_bytes())
    source.write_bytes(data[: len(data) // 3])
    with pytest.raises(TranscodeError, match=r"half\.mp4 is damaged: only \d of its 6 s"):
        transcode(source, tmp_path / "out")
    assert list(tmp_path.iterdir()) == [source]


def test_an_mp4_without_its_index_is_refused(made: tuple[Path, Encoded], tmp_path: Path) -> None:
    source = tmp_path / "headless.mp4"
    data = bytearray((made[0] / "plain.mp4").read_bytes())
    at = data.index(b"moov")
    data[at : at + 4] = b"none"
    source.write_bytes(bytes(data))
    with pytest.raises(TranscodeError, match=r"moov atom not found"):
        transcode(source, tmp_path / "out")


def test_metadata_that_imitates_a_description_is_not_believed(
    made: tuple[Path, Encoded], tmp_path: Path
) -> None:
    source = tmp_path / "liar.mp4"
    title = "x\n  Duration: 99:00:00.00\n  Stream #0:9: Video: h264, yuv420p, 9999x9999, 25 fps"
    arguments = ["-y", "-i", str(made[0] / "plain.mp4"), "-c", "copy", "-metadata", f"title={title}"]
    assert run([*arguments, source.name], tmp_path, Limits(time_s=30)).code == 0
    probed = probe(source)
    assert probed.duration_s == pytest.approx(6, abs=0.2)
    assert (probed.width, probed.height) == (640, 360)


def test_what_says_it_is_too_long_is_refused_and_no_more_is_read_than_may_be(
    made: tuple[Path, Encoded], tmp_path: Path
) -> None:
    with pytest.raises(TranscodeError, match="is longer than"):
        transcode(made[0] / "plain.mp4", tmp_path / "out", limits=Limits(duration_s=3))
    # A stream that does not say how long it is ends where the limit is.
    stream = tmp_path / "endless.webm"
    source = ["-f", "lavfi", "-i", "testsrc=s=160x90:r=5:d=30", "-c:v", "libvpx", "-deadline", "realtime"]
    assert (
        run(["-y", *source, "-f", "webm", "-live", "1", stream.name], tmp_path, Limits(time_s=60)).code == 0
    )
    assert probe(stream).duration_s is None
    encoded = transcode(stream, tmp_path / "out", limits=Limits(duration_s=4))
    assert encoded.duration_ms == pytest.approx(4000, abs=300)


def test_u3_an_mp4_that_names_other_files_reads_none(made: tuple[Path, Encoded], tmp_path: Path) -> None:
    """The data reference of a track may name another file: ffmpeg must not follow it."""
    source = tmp_path / "reference.mp4"
    data = (made[0] / "plain.mp4").read_bytes()
    # `url ` with flag 1 says that the data is in this file; without it, where they are is named.
    at = data.index(b"url \0\0\0\1")
    path = b"file:///etc/passwd\0"
    box = (12 + len(path)).to_bytes(4, "big") + b"url \0\0\0\0" + path
    source.write_bytes(data[: at - 4] + box + data[at + 8 :])
    with pytest.raises(TranscodeError) as caught:
        transcode(source, tmp_path / "out")
    assert "root:" not in str(caught.value) and not (tmp_path / "out").exists()


def test_too_many_pixels_are_refused_before_decoding(made: tuple[Path, Encoded], tmp_path: Path) -> None:
    with pytest.raises(TranscodeError, match="is 1280x720"):
        transcode(made[0] / "720p.mp4", tmp_path / "out", limits=Limits(pixels=640 * 360))


def test_what_takes_too_long_is_ended(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(TranscodeError, match=r"not done after 0\.5 s"):
        make_lecture(replace(SHORT, duration_s=1800), tmp_path / "out", limits=Limits(time_s=0.5))
    assert time.monotonic() - began < 60
    assert list(tmp_path.iterdir()) == []


def test_what_grows_too_large_is_ended(tmp_path: Path) -> None:
    with pytest.raises(TranscodeError):
        make_lecture(SHORT, tmp_path / "out", limits=Limits(output_bytes=50_000))
    assert list(tmp_path.iterdir()) == []


def test_whoever_stops_early_leaves_no_ffmpeg_and_no_folder(tmp_path: Path) -> None:
    steps = lecture_steps(SHORT, tmp_path / "out")
    next(steps)
    steps.close()
    assert list(tmp_path.iterdir()) == []
    here = [
        pid for pid in Path("/proc").iterdir() if pid.name.isdigit() and _cwd(pid).startswith(str(tmp_path))
    ]
    assert here == []


def _command(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return ""


def _cwd(process: Path) -> str:
    try:
        return str((process / "cwd").readlink())
    except OSError:
        return ""


def test_ffmpeg_dies_with_its_starter(tmp_path: Path) -> None:
    pid = os.fork()
    if pid == 0:
        endless = ["-re", "-f", "lavfi", "-i", "testsrc=d=60", "-progress", "pipe:1", "-f", "null", "-"]
        running = Run(endless, tmp_path, Limits())
        next(iter(running))
        (tmp_path / "pid").write_text(str(running._process.pid))
        os._exit(0)
    os.waitpid(pid, 0)
    child = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 10
    while _command(str(child)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _command(str(child))


def test_an_unfinished_folder_is_not_taken_for_a_result(made: tuple[Path, Encoded], tmp_path: Path) -> None:
    assert read_encoded(tmp_path) is None
    (tmp_path / "media.json").write_bytes((made[0] / "media.json").read_bytes())
    assert read_encoded(tmp_path) is None


def test_the_steps_of_a_video_end_with_the_result(made: tuple[Path, Encoded], tmp_path: Path) -> None:
    steps = transcode_steps(made[0] / "360p.mp4", tmp_path / "out")
    with pytest.raises(StopIteration) as end:
        while True:
            assert 0 <= next(steps) <= 1
    assert end.value.value == read_encoded(tmp_path / "out")


def test_no_text_of_a_lecture_is_a_command_of_the_script() -> None:
    text = script(SHORT)
    assert "(/pos(0,0))braces" in text and "{\\pos(0,0)}braces" not in text
