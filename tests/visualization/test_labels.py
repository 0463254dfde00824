"""Labels fit their place in every script."""

from __future__ import annotations

from html import unescape

import pytest

from mega_data_factory.visualization.charts.labels import safe, sentence, short_and_distinct, width

CHINESE = "质量过滤与语言识别阶段的第一个操作符"


def test_widths() -> None:
    """East Asian letters count two, marks none, all others one."""
    assert width("abc é") == 5
    assert width("质量,ｱ한Ａ") == 2 + 2 + 1 + 1 + 2 + 2
    assert width("ที่นี่") == 2
    assert width("é") == 1


@pytest.mark.parametrize("longest", [9, 10, 24])
def test_names_are_shortened_by_their_width(longest: int) -> None:
    """A name that is too wide keeps its beginning and its end, and is as wide as may be or one less."""
    for name in (CHINESE, "質量" + "x" * 40, "x" * 40, "ที่นี่" * 20):
        short = safe(name, longest)
        assert longest - 2 <= width(short) <= longest
        assert width("…" + short.split("…")[1][0]) > 1  # no mark of a letter that is gone
        head, tail = short.split("…")
        assert name.startswith(head)
        assert name.endswith(tail)
    assert safe(CHINESE[: longest // 2], longest) == CHINESE[: longest // 2]


def test_sentences_are_whole_in_lines_that_fit() -> None:
    """No letter of a sentence is lost, with and without spaces, and no line is too wide."""
    for text in (CHINESE * 9, "several words " * 20, f"warn: {CHINESE * 3} and more"):
        lines = sentence(text).split("<br>")
        assert "".join(lines).replace(" ", "") == text.replace(" ", "")
        assert max(map(width, lines)) <= 56


@pytest.mark.parametrize(
    ("names", "longest", "labels"),
    [
        (["too_short", "too_long"], 11, ["too_short", "too_long"]),
        (
            ["mean_word_length_below_minimum", "mean_word_length_above_maximum", "symbol_to_word_ratio"],
            11,
            ["…below_min…", "…above_max…", "symbol…atio"],
        ),
        (["duplicate_line_characters", "duplicate_paragraph_characters"], 9, ["…line_ch…", "…paragra…"]),
        (["same_long_name_twice", "same_long_name_twice"], 9, ["same_…ice", "same_…ice"]),
        (["a<b_" * 9 + "o<e_x", "a<b_" * 9 + "two_x"], 5, ["…o&lt;e…", "…two…"]),
    ],
)
def test_short_labels_of_unlike_names_differ(names: list[str], longest: int, labels: list[str]) -> None:
    """Where the middle alone told names apart, what they have in common goes; the width holds for all."""
    found = short_and_distinct(names, longest)
    assert found == labels
    assert all(width(unescape(label)) <= longest for label in found)
