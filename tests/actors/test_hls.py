"""What is read from a playlist and from the first bytes of a file."""

import pytest

from actors.ffmpeg import TranscodeError
from actors.hls import bitrates, codecs, duration_s, segments

PLAYLIST = """#EXTM3U
#EXT-X-VERSION:7
#EXT-X-MAP:URI="720p.mp4",BYTERANGE="1353@0"
#EXTINF:4.000000,
#EXT-X-BYTERANGE:500000@1353
720p.mp4
#EXTINF:4.000000,
#EXT-X-BYTERANGE:1000000@501353
720p.mp4
#EXTINF:0.040000,
#EXT-X-BYTERANGE:90000@1501353
720p.mp4
#EXT-X-ENDLIST
"""


def test_segments_are_read_in_order() -> None:
    parts = segments(PLAYLIST)
    assert [part.length_bytes for part in parts] == [500_000, 1_000_000, 90_000]
    assert duration_s(parts) == pytest.approx(8.04)


def test_the_peak_is_that_of_the_dearest_segment_but_not_of_a_scrap() -> None:
    average, peak = bitrates(segments(PLAYLIST))
    assert average == round(1_590_000 * 8 / 8.04)
    assert peak == 2_000_000
    scraps = segments("#EXTINF:0.5,\n#EXT-X-BYTERANGE:1000@0\na\n")
    assert bitrates(scraps) == (16_000, 16_000)


@pytest.mark.parametrize("text", ["", "#EXTM3U\n#EXT-X-ENDLIST\n", "#EXTINF:4.0,\nwhole.mp4\n"])
def test_a_playlist_without_byte_ranges_is_refused(text: str) -> None:
    with pytest.raises(TranscodeError, match="no segments"):
        segments(text)


def test_codecs_come_from_the_configuration_of_the_picture() -> None:
    head = b"....moov....avc1....\0\0\0\x2favcC\x01\x64\x00\x1f\xff"
    assert codecs(head, has_sound=True) == "avc1.64001f,mp4a.40.2"
    assert codecs(head, has_sound=False) == "avc1.64001f"
    with pytest.raises(TranscodeError, match=r"no H\.264"):
        codecs(b"moov", has_sound=True)
