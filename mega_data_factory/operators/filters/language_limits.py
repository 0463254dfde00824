"""Limits of quality filters for languages without spaces between words, and for Korean.

The numbers are those that FineWeb2 was filtered with (Penedo et al. 2025, arXiv:2506.20920; the files of each language
in `configs/` of github.com/huggingface/fineweb-2). FineWeb2 counted with one word tokenizer per language, and UAX #29
cuts somewhat differently. It applied no limit to short lines, and none to punctuated lines where the table says off.
The stop words are not FineWeb2's, which were found by frequency with its tokenizers, but function words that UAX #29
leaves whole. Korean writes such words as endings of others: the test is off there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

# Shortest and longest mean word, least alphabetic words, most duplicate lines, greatest top n-gram (2 to 4) and
# duplicate n-grams (5 to 10), least punctuated lines, most newlines per word. FineWeb2 names the files cmn_Hani,
# jpn_Jpan, tha_Thai, lao_Laoo, khm_Khmr, mya_Mymr, bod_Tibt and kor_Hang.
_NUMBERS = """
language short long letters lines top_2 top_3 top_4 dup_5 dup_6 dup_7 dup_8 dup_9 dup_10 punct newline
zh           1    5   0.735 0.287 0.256 0.201 0.171 0.198 0.182 0.167 0.154  0.14  0.127 0.106   0.178
ja           1    5   0.759 0.375 0.121 0.129 0.145 0.307 0.283 0.264 0.248 0.234  0.223 0.167   0.162
th           2   10     0.9 0.349 0.221 0.197 0.162 0.185 0.168 0.152 0.137 0.124  0.111   off   0.153
lo           2    9    0.85 0.327 0.198 0.175 0.143 0.187 0.175 0.163 0.149 0.135  0.123   off     0.2
km           2   13   0.905  0.92 0.165 0.225 0.242 0.197 0.168 0.148 0.126 0.107  0.094 0.077   0.667
my           2   21    0.75 0.308 0.074 0.097 0.115 0.161 0.132 0.118 0.101  0.09  0.079   off   0.125
bo           1   23   0.824 0.261 0.206 0.205 0.175 0.174 0.153  0.14 0.129 0.115  0.102   off   0.417
ko           1    6   0.791 0.374 0.282 0.228 0.185 0.201 0.184 0.168 0.154  0.14  0.127 0.062   0.196
"""

_STOP_WORDS = {
    "zh": "的 是 在 了 和 有 也 不 与 與 就 这 這 我 他 而 及 或 之 被 把 对 對 从 從 一个 一個",
    "ja": "の に は を が と で も た て な し する です ます から この その",
    "th": "และ ที่ ใน ของ เป็น มี ได้ ไม่ ให้ จะ ว่า กับ จาก นี้ หรือ โดย",
    "lo": "ແລະ ທີ່ ໃນ ຂອງ ເປັນ ມີ ໄດ້ ບໍ່ ໃຫ້ ຈະ ວ່າ ກັບ ຈາກ ນີ້ ຫຼື ໂດຍ",
    "km": "និង នៃ ដែល ជា មាន បាន ក្នុង នៅ នៅក្នុង របស់ នេះ ថា ពី ដោយ មិន ឬ",
    "my": "သည် နှင့် တွင် ကို များ မှ သော ဖြစ်သည် ခဲ့ ရန် က မှာ ပြီး ရှိ",
    "bo": "དང གི ཀྱི གྱི ལ ནི ཡིན དུ ནས དེ པའི ཡོད རེད",
}


def _published() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every language of the table, with its limits by the parameters of the filters."""
    names, *rows = (line.split() for line in _NUMBERS.strip().splitlines())
    for language, *cells in rows:
        value = {name: None if cell == "off" else float(cell) for name, cell in zip(names[1:], cells, strict=True)}
        stop_words = _STOP_WORDS.get(language)
        yield (
            language,
            {
                "min_mean_word_length": value["short"],
                "max_mean_word_length": value["long"],
                "min_alphabetic_words": value["letters"],
                **({"stop_words": stop_words.split()} if stop_words else {"min_stop_words": 0}),
                "max_duplicate_lines": value["lines"],
                "max_top_ngram": {n: value[f"top_{n}"] for n in (2, 3, 4)},
                "max_duplicate_ngram": {n: value[f"dup_{n}"] for n in (5, 6, 7, 8, 9, 10)},
                "min_punctuated_lines": value["punct"],
                "max_short_lines": None,
                "max_newline_ratio": value["newline"],
            },
        )


PUBLISHED_LIMITS: Mapping[str, Mapping[str, Any]] = dict(_published())
"""Language → parameter of a filter → value. A filter takes those that it has."""

LANGUAGES = ("en", *PUBLISHED_LIMITS)
"""Languages with limits: `en` stands for those of the papers, which are the defaults of the filters."""
