"""Captions of people: what can be shown is kept, everything else is text, what cannot be is refused."""

import pytest

from actors.captions import CUES_MAX, CaptionsError, webvtt

VTT = """WEBVTT - a title

STYLE
::cue { background: url(https://elsewhere.example/seen) }

NOTE nobody sees this --

intro
00:01.000 --> 00:02.500 align:start position:10% onclick:alert(1)
<v Ada>Hello</v> <b>there</b> <i>you</i>

01:00:00.000 --> 01:00:01.000
Second line
of it
"""


def test_webvtt_keeps_its_times_its_text_and_harmless_marks() -> None:
    assert webvtt(VTT.encode()) == (
        "WEBVTT\n\n00:00:01.000 --> 00:00:02.500 align:start position:10%\n"
        "<v Ada>Hello</v> <b>there</b> <i>you</i>\n\n"
        "01:00:00.000 --> 01:00:01.000\nSecond line\nof it\n"
    )


def test_subrip_becomes_webvtt() -> None:
    srt = "\ufeff1\n00:00:01,000 --> 00:00:02,500\nHola\n\n2\n00:00:03,5 --> 00:00:04,000\n¿Qué tal?\n"
    assert webvtt(srt.replace("\n", "\r\n").encode()) == (
        "WEBVTT\n\n00:00:01.000 --> 00:00:02.500\nHola\n\n00:00:03.500 --> 00:00:04.000\n¿Qué tal?\n"
    )


def test_what_is_made_is_taken_again_unchanged() -> None:
    made = webvtt(VTT.encode())
    assert webvtt(made.encode()) == made


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<img src=x onerror=alert(1)>", "&lt;img src=x onerror=alert(1)&gt;"),
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("<b onclick=x>bold</b>", "&lt;b onclick=x&gt;bold</b>"),
        ("<v A&lt;img>hi</v>", "&lt;v A&lt;img&gt;hi</v>"),
        ("<c.red>x</c>", "&lt;c.red&gt;x&lt;/c&gt;"),
        ("R&D &amp; &lt;3 &copy;", "R&amp;D &amp; &lt;3 &amp;copy;"),
        ("a\u202eb\x07c", "abc"),
    ],
)
def test_h12_marks_that_could_act_are_text(text: str, shown: str) -> None:
    assert webvtt(f"WEBVTT\n\n00:01.000 --> 00:02.000\n{text}\n".encode()).endswith(f"\n{shown}\n")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "not one caption"),
        (b"WEBVTT\n\nhello\n", "not one caption"),
        (b"WEBVTT\n\n00:02.000 --> 00:01.000\nx\n", "line 3 ends before it begins"),
        (b"WEBVTT\n\nsoon --> later\nx\n", "line 3 has times that cannot be read"),
        ("WEBVTT\n\n00:01.000 --> 00:02.000\nné\n".encode("latin-1"), "line 4 is not UTF-8"),
        (b"WEBVTT\n\n00:01.000 --> 00:02.000\n" + b"x" * 3000, "more than 2000 letters"),
        (b"WEBVTT\n\n" + b"00:01.000 --> 00:02.000\nx\n\n" * (CUES_MAX + 1), "more than 20000 captions"),
    ],
)
def test_u3_what_cannot_be_shown_is_refused_with_its_line(data: bytes, why: str) -> None:
    with pytest.raises(CaptionsError, match=why):
        webvtt(data)
