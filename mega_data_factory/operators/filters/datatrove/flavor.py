"""The choice between the definitions of the papers and those of datatrove."""

from __future__ import annotations

from mega_data_factory.operators.parameters import check_choice

_FLAVORS = ("paper", "datatrove")


def check_flavor(flavor: object, words: str) -> str:
    """Return the flavor of a filter.

    Args:
        flavor: what was given.
        words: the words that the filter counts.

    Raises:
        ValueError: there is no such flavor, or it does not go with these words.
    """
    chosen = check_choice("flavor", flavor, _FLAVORS)
    if chosen == "datatrove" and words != "whitespace":
        raise ValueError("flavor datatrove needs `words: whitespace`: its limits are for words of that kind")
    return chosen
