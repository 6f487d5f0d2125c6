"""Making a video ready for playing: probe, HLS renditions with byte ranges, and what else a player shows.

One run of ffmpeg encodes every rendition and measures the loudness; poster, thumbnails, preview and the plain
mp4 are then made of renditions, of which little is read.
"""

import importlib.resources
import os
import shutil
import tempfile
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from actors import hls, loudness, thumbnails
from actors import lecture as lectures
from actors.ass import HEIGHT, WIDTH
from actors.ffmpeg import Limits, Run, TranscodeError, run
from actors.lecture import Lecture
from actors.probe import FRAMES_PER_S_MAX, HOSTILE, last_words, probe

OnProgress = Callable[[float], None]
"""Called with the fraction done, 0 to 1."""

LADDER_KBIT = {360: 900, 720: 3000, 1080: 5000}
"""Heights to encode, and the most each may take, in kbit/s."""

SEGMENT_S = 4
KEYFRAME_EVERY_S = 2
POSTER_AT = 0.1

PREVIEW_S = 6
PREVIEW_AT = 0.25
_PREVIEW = "scale=-2:'min(270,ih)',fps=15"

# How much shorter than announced a readable video may come out before it counts as damaged.
MISSING_MAX_S = 2.0
MISSING_MAX_RATIO = 0.02

MEDIA_FILE = "media.json"
_POSTER, _PLAIN, _SPRITE, _PREVIEW_FILE = "poster.jpg", "plain.mp4", thumbnails.SHEET, "preview.mp4"


class Rendition(msgspec.Struct, frozen=True):
    """One rung of the ladder: `file` holds all of it, `playlist` its byte ranges as ffmpeg wrote them.

    `bitrate` is the average and `peak_bitrate` that of the dearest segment, bits/s; `codecs` as in RFC 6381.
    """

    name: str
    width: int
    height: int
    frames_per_s: float
    bitrate: int
    peak_bitrate: int
    codecs: str
    file: str
    playlist: str


class Encoded(msgspec.Struct, frozen=True):
    """What lies in a folder after encoding; `plain` is a progressive mp4 of the lowest rendition.

    `sprite` is a sheet of thumbnails, which `sprite_vtt` (WebVTT, its cues name the file) tells apart;
    `preview` some seconds without sound; `loudness_lufs` the integrated loudness, None without sound.
    """

    duration_ms: int
    renditions: tuple[Rendition, ...]
    poster: str
    plain: str
    sprite: str | None = None
    sprite_vtt: str = ""
    preview: str | None = None
    loudness_lufs: float | None = None

    @property
    def files(self) -> tuple[str, ...]:
        """Every file of the folder that players ask for."""
        more = tuple(file for file in (self.sprite, self.preview) if file is not None)
        return (*(rendition.file for rendition in self.renditions), self.poster, self.plain, *more)


@dataclass(frozen=True, slots=True)
class _Source:
    """What to encode: ffmpeg's inputs (0 the picture, the last one the sound), a filter before the ladder."""

    inputs: tuple[str, ...]
    picture: str
    sound: str | None
    channels: int
    frames_per_s: float
    duration_s: float | None
    heights: tuple[int, ...]
    preset: str
    crf: int


def transcode(
    source: Path, out_dir: Path, on_progress: OnProgress | None = None, limits: Limits | None = None
) -> Encoded:
    """Encode the video file `source` into `out_dir`, which is made; nothing is left there after an error.

    Raises `TranscodeError` for whatever is no whole video, takes too long or gets too large.
    """
    return _drive(transcode_steps(source, out_dir, limits), on_progress)


def make_lecture(
    lecture: Lecture, out_dir: Path, on_progress: OnProgress | None = None, limits: Limits | None = None
) -> Encoded:
    """Draw a lecture and encode it in the same run, straight into its renditions."""
    return _drive(lecture_steps(lecture, out_dir, limits), on_progress)


def _drive(steps: Generator[float, None, Encoded], on_progress: OnProgress | None) -> Encoded:
    try:
        while True:
            fraction = next(steps)
            if on_progress is not None:
                on_progress(fraction)
    except StopIteration as end:
        encoded: Encoded = end.value
        return encoded
    finally:
        steps.close()


def steps_of(source: Path | Lecture, out_dir: Path) -> Generator[float, None, Encoded]:
    """The steps that encode a file or draw a lecture."""
    if isinstance(source, Path):
        return transcode_steps(source, out_dir)
    return lecture_steps(source, out_dir)


def remote_encode() -> Any:
    """`steps_of` as a Ray task: it streams the fraction done, and the `Encoded` last.

    Paths are those of the node it runs on. A task that dies with its node is run again; cancelling it, or
    its worker's death, ends ffmpeg.
    """
    import ray

    def encode(source: Path | Lecture, out_dir: Path) -> Generator[float | Encoded, None, None]:
        yield (yield from steps_of(source, out_dir))

    return ray.remote(num_cpus=1, max_retries=2)(encode)


def ladder(width: int, height: int) -> tuple[int, ...]:
    """The heights (of the short side, pixels, even) to encode: never above the source, at least one."""
    short = min(width, height) // 2 * 2
    rungs = [rung for rung in LADDER_KBIT if rung <= short]
    return tuple(rungs) or (short,)


def transcode_steps(
    source: Path, out_dir: Path, limits: Limits | None = None
) -> Generator[float, None, Encoded]:
    """`transcode` as a generator: yields the fraction done, returns the result; closing it ends ffmpeg."""
    bounds = limits or Limits()
    probed = probe(source, bounds)
    if probed.duration_s is not None and probed.duration_s > bounds.duration_s:
        hours = bounds.duration_s / 3600
        raise TranscodeError(f"{source.name} is longer than {hours:g} h; cut it into several lectures")
    frames_per_s = min(probed.frames_per_s, FRAMES_PER_S_MAX) or FRAMES_PER_S_MAX
    hostile = (*HOSTILE, "-max_pixels", str(bounds.pixels), "-t", f"{bounds.duration_s:g}")
    order = _Source(
        inputs=(*hostile, "-i", f"file:{source.resolve()}"),
        # Square pixels, for players that ignore the aspect ratio of pixels.
        picture=f"[0:V:0]fps={frames_per_s:g},scale=trunc(iw*sar/2)*2:trunc(ih/2)*2,setsar=1",
        sound="[0:a:0]" if probed.has_sound else None,
        channels=2,
        frames_per_s=frames_per_s,
        duration_s=probed.duration_s,
        heights=ladder(probed.width, probed.height),
        preset="veryfast",
        crf=22,
    )
    with _Work(out_dir) as work:
        yield from _encode(order, work.folder, bounds)
        encoded = _finish(order, work.folder, bounds, source.name)
        _poster_of_video(work.folder, encoded, bounds)
        work.keep(encoded)
    return encoded


def lecture_steps(
    lecture: Lecture, out_dir: Path, limits: Limits | None = None
) -> Generator[float, None, Encoded]:
    """`make_lecture` as a generator, like `transcode_steps`."""
    bounds = limits or Limits(time_s=600.0)
    pictures, duration_s = lectures.PICTURES_PER_S, lecture.duration_s
    size = f"s={WIDTH}x{HEIGHT}"
    chapters_per_s = f"r={len(lecture.chapters)}/{duration_s}:d={duration_s}"
    order = _Source(
        inputs=(
            "-f",
            "lavfi",
            "-i",
            f"color=c=black:{size}:{chapters_per_s},format=yuv420p",
            "-i",
            "sound.wav",
        ),
        picture=f"[0:v]{_ass('ground.ass')},fps={pictures},{_ass('slides.ass')}",
        sound="[1:a]",
        channels=1,
        frames_per_s=pictures,
        duration_s=float(duration_s),
        heights=ladder(WIDTH, HEIGHT),
        # Flat colours and repeated frames: the cheapest preset is small enough and three times as fast.
        preset="ultrafast",
        crf=20,
    )
    with _Work(out_dir) as work:
        material = ("ground.ass", "slides.ass", "poster.ass", "sound.wav")
        (work.folder / "fonts").mkdir()
        for font in ("Manrope-ExtraBold.ttf", "Manrope-SemiBold.ttf"):
            file = importlib.resources.files("font_manrope") / "files" / font
            (work.folder / "fonts" / font).write_bytes(file.read_bytes())
        (work.folder / "ground.ass").write_text(lectures.ground_script(lecture))
        (work.folder / "slides.ass").write_text(lectures.script(lecture))
        (work.folder / "poster.ass").write_text(lectures.poster_script(lecture))
        lectures.write_sound(lecture, work.folder / "sound.wav")
        yield from _encode(order, work.folder, bounds)
        drawn = f"color=c=black:{size}:r=1:d=1,format=yuv420p,{_ass('poster.ass')}"
        _must(
            [*_QUIET, "-f", "lavfi", "-i", drawn, *_ONE_PICTURE, _POSTER], work.folder, bounds, "the poster"
        )
        encoded = _finish(order, work.folder, bounds, lecture.title)
        for name in material:
            (work.folder / name).unlink()
        shutil.rmtree(work.folder / "fonts")
        work.keep(encoded)
    return encoded


def _ass(file: str) -> str:
    return f"ass={file}:fontsdir=fonts"


class _Work:
    """A folder beside `out_dir` to work in; it becomes `out_dir` in one step, complete, or is removed."""

    def __init__(self, out_dir: Path) -> None:
        self._out_dir = out_dir

    def __enter__(self) -> "_Work":
        self._out_dir.parent.mkdir(parents=True, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix=f".{self._out_dir.name}-", dir=self._out_dir.parent))
        return self

    def keep(self, encoded: Encoded) -> None:
        (self.folder / MEDIA_FILE).write_bytes(msgspec.json.encode(encoded))
        if self._out_dir.exists():
            shutil.rmtree(self._out_dir)
        self.folder.rename(self._out_dir)

    def __exit__(self, *_: object) -> None:
        if self.folder.exists():
            shutil.rmtree(self.folder)


def read_encoded(out_dir: Path) -> Encoded | None:
    """What an earlier run left in `out_dir`, None if that is not whole."""
    try:
        encoded = msgspec.json.decode((out_dir / MEDIA_FILE).read_bytes(), type=Encoded)
    except (OSError, msgspec.MsgspecError):
        return None
    return encoded if all((out_dir / name).is_file() for name in encoded.files) else None


_QUIET = ("-v", "error", "-y")
_ONE_PICTURE = ("-frames:v", "1", "-update", "1", "-q:v", "3")


def _must(arguments: Sequence[str], folder: Path, limits: Limits, what: str) -> None:
    ended = run(arguments, folder, limits)
    if ended.code != 0:
        raise TranscodeError(
            f"ffmpeg could not make {what} ({last_words(ended.said)}); export the video again"
        )


def _encode(order: _Source, folder: Path, limits: Limits) -> Generator[float, None, None]:
    """Run the one ffmpeg that writes every rendition; yields the fraction done."""
    arguments = [*_QUIET, "-progress", "pipe:1", "-stats_period", "0.5", *order.inputs]
    arguments += ["-filter_complex_threads", "1"]
    for graph in _graphs(order):
        arguments += ["-filter_complex", graph]
    for rung in order.heights:
        arguments += _output(order, rung)
    with Run(arguments, folder, limits) as running:
        for time_s in running:
            yield min(time_s / order.duration_s, 1.0) * 0.97 if order.duration_s else 0.5
        ended = running.ended
    if ended.code != 0:
        raise TranscodeError(f"the video could not be encoded ({last_words(ended.said)}); export it again")


def _graphs(order: _Source) -> list[str]:
    """Picture and sound as graphs of their own: in one, a bursty picture would starve the sound."""
    rungs = order.heights
    parts = [f"{order.picture},split={len(rungs)}" + "".join(f"[cut{rung}]" for rung in rungs)]
    for rung in rungs:
        size = f"w='if(gte(iw,ih),-2,{rung})':h='if(gte(iw,ih),{rung},-2)'"
        parts.append(f"[cut{rung}]scale={size},fps={order.frames_per_s:g},format=yuv420p[picture{rung}]")
    if order.sound is None:
        return [";".join(parts)]
    # Gaps and late starts of the sound are filled with silence, so that it stays with the picture.
    names = "".join(f"[sound{rung}]" for rung in rungs)
    sound = f"{order.sound}aresample=48000:async=1:first_pts=0,asplit={len(rungs) + 1}{names}[measured]"
    return [";".join(parts), f"{sound};[measured]{loudness.FILTER}"]


def _output(order: _Source, rung: int) -> list[str]:
    """One rendition: its keyframes lie at the same times as the others', so that a player can change over."""
    threads = max(1, min(4, (os.cpu_count() or 1) // len(order.heights)))
    rate_kbit = LADDER_KBIT.get(rung, LADDER_KBIT[360])
    words = (
        f"-map [picture{rung}] -c:v libx264 -preset {order.preset} -crf {order.crf} -threads {threads} "
        f"-maxrate {rate_kbit}k -bufsize {2 * rate_kbit}k "
        f"-sc_threshold 0 -force_key_frames expr:gte(t,n_forced*{KEYFRAME_EVERY_S}) "
    )
    if order.sound is not None:
        rate_kbit = 96 if order.channels > 1 else 64
        words += f"-map [sound{rung}] -c:a aac -ac {order.channels} -b:a {rate_kbit}k "
    # A segment holds picture and sound of the same seconds, however far one of them runs ahead.
    words += (
        "-max_interleave_delta 0 -max_muxing_queue_size 4096 -map_metadata -1 -map_chapters -1 "
        f"-f hls -hls_time {SEGMENT_S} -hls_playlist_type vod -hls_segment_type fmp4 "
        f"-hls_flags single_file+independent_segments -hls_segment_filename {rung}p.mp4 {rung}p.m3u8"
    )
    return words.split()


def _finish(order: _Source, folder: Path, limits: Limits, name: str) -> Encoded:
    """Describe what was encoded, refuse it when much is missing, and add the plain mp4."""
    renditions = tuple(_describe(order, folder, rung, limits) for rung in order.heights)
    made_s = hls.duration_s(hls.segments(renditions[0].playlist))
    if order.duration_s and order.duration_s - made_s > max(
        MISSING_MAX_S, MISSING_MAX_RATIO * order.duration_s
    ):
        raise TranscodeError(
            f"{name} is damaged: only {made_s:.0f} of its {order.duration_s:.0f} s can be read; "
            "export it again"
        )
    low = renditions[0]
    arguments = [*_QUIET, "-i", low.file, "-c", "copy", "-movflags", "+faststart", _PLAIN]
    _must(arguments, folder, limits, "the plain mp4")
    plan = thumbnails.plan(low.width, low.height, made_s)
    # Only the keyframes are decoded, which is all that thumbnails show.
    sheet = ["-skip_frame", "nokey", "-i", low.file, "-an", "-vf", plan.filter]
    _must([*_QUIET, *sheet, *_ONE_PICTURE, _SPRITE], folder, limits, "the thumbnails")
    _preview(folder, low.file, made_s, limits)
    return Encoded(
        duration_ms=round(made_s * 1000),
        renditions=renditions,
        poster=_POSTER,
        plain=_PLAIN,
        sprite=_SPRITE,
        sprite_vtt=plan.vtt(),
        preview=_PREVIEW_FILE,
        loudness_lufs=loudness.take(folder) if order.sound is not None else None,
    )


def _preview(folder: Path, file: str, made_s: float, limits: Limits) -> None:
    """A few seconds from the first quarter's end on, small and without sound."""
    at_s = max(0.0, min(made_s * PREVIEW_AT, made_s - PREVIEW_S))
    words = (
        f"-ss {at_s:.3f} -i {file} -t {PREVIEW_S} -an -vf {_PREVIEW} -c:v libx264 -preset veryfast -crf 27 "
        f"-pix_fmt yuv420p -movflags +faststart -map_metadata -1 {_PREVIEW_FILE}"
    )
    _must([*_QUIET, *words.split()], folder, limits, "the preview")


def _describe(order: _Source, folder: Path, rung: int, limits: Limits) -> Rendition:
    file, playlist = f"{rung}p.mp4", (folder / f"{rung}p.m3u8").read_text()
    probed = probe(folder / file, limits)
    average, peak = hls.bitrates(hls.segments(playlist))
    with (folder / file).open("rb") as opened:
        codecs = hls.codecs(opened.read(65536), order.sound is not None)
    return Rendition(
        f"{rung}p", probed.width, probed.height, order.frames_per_s, average, peak, codecs, file, playlist
    )


def _poster_of_video(folder: Path, encoded: Encoded, limits: Limits) -> None:
    """A picture from a tenth of the way in: the first ones are often black."""
    at = f"{encoded.duration_ms / 1000 * POSTER_AT:.3f}"
    _must(
        [*_QUIET, "-ss", at, "-i", encoded.renditions[-1].file, *_ONE_PICTURE, _POSTER],
        folder,
        limits,
        "the poster",
    )
