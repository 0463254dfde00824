"""Gopher's filters in datatrove: python datatrove_gopher.py SOURCE TARGET spacy|whitespace."""

import sys

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.filters import GopherQualityFilter, GopherRepetitionFilter
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter
from datatrove.utils.word_tokenizers import WordTokenizer


class WhiteSpace(WordTokenizer):  # type: ignore[misc]  # datatrove has no types
    """Words are what `str.split` finds."""

    def word_tokenize(self, text: str) -> list[str]:
        """Return the words."""
        return text.split()

    def sent_tokenize(self, text: str) -> list[str]:
        """Return the text: no filter here asks for sentences."""
        return [text]

    def span_tokenize(self, text: str) -> list[tuple[int, int]]:
        """Return the text's span."""
        return [(0, len(text))]


def main(source: str, target: str, words: str) -> None:
    """Filter the JSON lines of one folder into another, in two processes."""
    language = WhiteSpace() if words == "whitespace" else "en"
    LocalPipelineExecutor(
        pipeline=[
            JsonlReader(source, glob_pattern="*.jsonl", id_key="doc"),
            GopherRepetitionFilter(language=language),
            GopherQualityFilter(language=language),
            JsonlWriter(f"{target}/data"),
        ],
        tasks=2,
        workers=2,
        logging_dir=f"{target}/logs",
    ).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
