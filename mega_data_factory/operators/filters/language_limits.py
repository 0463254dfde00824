"""Limits of quality filters for languages without spaces between words, and for Korean.

The numbers are those that FineWeb2 was filtered with (Penedo et al. 2025, arXiv:2506.20920; the files of each language
in `configs/` of github.com/huggingface/fineweb-2). FineWeb2 counted with one word tokenizer per language, and UAX #29
cuts somewhat differently. It applied no limit to short lines; 0.0 for punctuated lines turns that test off. The stop
words are not FineWeb2's, which were found by frequency with its tokenizers, but function words that UAX #29 leaves
whole; Korean writes such words as endings of others, so that there the test is off.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def _limits(
    *,
    word_length: tuple[float, float],
    alphabetic: float,
    lines: float,
    top: tuple[float, float, float],
    duplicate: tuple[float, float, float, float, float, float],
    punctuated: float,
    newlines: float,
    stop_words: str = "",
) -> dict[str, Any]:
    return {
        "min_mean_word_length": word_length[0],
        "max_mean_word_length": word_length[1],
        "min_alphabetic_words": alphabetic,
        **({"stop_words": stop_words.split()} if stop_words else {"min_stop_words": 0}),
        "max_duplicate_lines": lines,
        "max_top_ngram": dict(zip((2, 3, 4), top, strict=True)),
        "max_duplicate_ngram": dict(zip((5, 6, 7, 8, 9, 10), duplicate, strict=True)),
        "min_punctuated_lines": punctuated or None,
        "max_short_lines": None,
        "max_newline_ratio": newlines,
    }


PUBLISHED_LIMITS: Mapping[str, Mapping[str, Any]] = {
    "zh": _limits(  # cmn_Hani
        word_length=(1, 5),
        alphabetic=0.735,
        lines=0.287,
        top=(0.256, 0.201, 0.171),
        duplicate=(0.198, 0.182, 0.167, 0.154, 0.14, 0.127),
        punctuated=0.106,
        newlines=0.178,
        stop_words="的 是 在 了 和 有 也 不 与 與 就 这 這 我 他 而 及 或 之 被 把 对 對 从 從 一个 一個",
    ),
    "ja": _limits(  # jpn_Jpan
        word_length=(1, 5),
        alphabetic=0.759,
        lines=0.375,
        top=(0.121, 0.129, 0.145),
        duplicate=(0.307, 0.283, 0.264, 0.248, 0.234, 0.223),
        punctuated=0.167,
        newlines=0.162,
        stop_words="の に は を が と で も た て な し する です ます から この その",
    ),
    "th": _limits(  # tha_Thai
        word_length=(2, 10),
        alphabetic=0.9,
        lines=0.349,
        top=(0.221, 0.197, 0.162),
        duplicate=(0.185, 0.168, 0.152, 0.137, 0.124, 0.111),
        punctuated=0.0,
        newlines=0.153,
        stop_words="และ ที่ ใน ของ เป็น มี ได้ ไม่ ให้ จะ ว่า กับ จาก นี้ หรือ โดย",
    ),
    "lo": _limits(  # lao_Laoo
        word_length=(2, 9),
        alphabetic=0.85,
        lines=0.327,
        top=(0.198, 0.175, 0.143),
        duplicate=(0.187, 0.175, 0.163, 0.149, 0.135, 0.123),
        punctuated=0.0,
        newlines=0.2,
        stop_words="ແລະ ທີ່ ໃນ ຂອງ ເປັນ ມີ ໄດ້ ບໍ່ ໃຫ້ ຈະ ວ່າ ກັບ ຈາກ ນີ້ ຫຼື ໂດຍ",
    ),
    "km": _limits(  # khm_Khmr
        word_length=(2, 13),
        alphabetic=0.905,
        lines=0.92,
        top=(0.165, 0.225, 0.242),
        duplicate=(0.197, 0.168, 0.148, 0.126, 0.107, 0.094),
        punctuated=0.077,
        newlines=0.667,
        stop_words="និង នៃ ដែល ជា មាន បាន ក្នុង នៅ នៅក្នុង របស់ នេះ ថា ពី ដោយ មិន ឬ",
    ),
    "my": _limits(  # mya_Mymr
        word_length=(2, 21),
        alphabetic=0.75,
        lines=0.308,
        top=(0.074, 0.097, 0.115),
        duplicate=(0.161, 0.132, 0.118, 0.101, 0.09, 0.079),
        punctuated=0.0,
        newlines=0.125,
        stop_words="သည် နှင့် တွင် ကို များ မှ သော ဖြစ်သည် ခဲ့ ရန် က မှာ ပြီး ရှိ",
    ),
    "bo": _limits(  # bod_Tibt
        word_length=(1, 23),
        alphabetic=0.824,
        lines=0.261,
        top=(0.206, 0.205, 0.175),
        duplicate=(0.174, 0.153, 0.14, 0.129, 0.115, 0.102),
        punctuated=0.0,
        newlines=0.417,
        stop_words="དང གི ཀྱི གྱི ལ ནི ཡིན དུ ནས དེ པའི ཡོད རེད",
    ),
    "ko": _limits(  # kor_Hang
        word_length=(1, 6),
        alphabetic=0.791,
        lines=0.374,
        top=(0.282, 0.228, 0.185),
        duplicate=(0.201, 0.184, 0.168, 0.154, 0.14, 0.127),
        punctuated=0.062,
        newlines=0.196,
    ),
}
"""Language → parameter of a filter → value. A filter takes those that it has."""

LANGUAGES = ("en", *PUBLISHED_LIMITS)
"""Languages with limits: `en` stands for those of the papers, which are the defaults of the filters."""
