"""Labels fit their place in every script."""

from __future__ import annotations

import pytest

from mega_data_factory.visualization.charts.labels import safe, sentence, width

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
