"""Texts that leave the machine name none of its paths."""

from __future__ import annotations

import pytest

from mega_data_factory.dashboard.private_paths import values_without_paths, without_paths


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("cannot read /srv/metrics/a.parquet: no such file", "cannot read …/a.parquet: no such file"),
        ("'/home/u/in put'", "'…/in put'"),
        ("~/data/x.py and file:///srv/b/c", "…/x.py and …/c"),
        ("C:\\Users\\x\\y", "…/y"),
        ("path=/srv/a/b,/srv/c/d", "path=…/b,…/d"),
        ("/srv/a/", "…/"),
        ("362 /s", "362 /s"),
        ("s3://bucket/key/x", "s3://bucket/key/x"),
        ("./output and a/b/c", "./output and a/b/c"),
        ("1/2 of 3/4", "1/2 of 3/4"),
    ],
)
def test_absolute_paths_are_cut_to_their_last_part(text: str, told: str) -> None:
    """Paths of this machine lose their folders; units, URIs and relative paths stay."""
    assert without_paths(text) == told


def test_every_text_of_a_configuration_is_cut() -> None:
    """Mappings and lists are gone through to their depths; numbers stay."""
    config = {"path": ["/srv/in/a", {"/srv/k/x": "/srv/v/y"}], "n": 3, "on": True, "none": None}
    assert values_without_paths(config) == {"path": ["…/a", {"…/x": "…/y"}], "n": 3, "on": True, "none": None}
