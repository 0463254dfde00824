"""Which Ray cluster a run connects to, as `ray.init` decides it."""

from __future__ import annotations

import pytest

from mega_data_factory.framework.engines.ray.environment import ClusterAddress, cluster_address


@pytest.mark.parametrize(
    ("configured", "environment", "expected"),
    [
        (None, None, None),
        (None, "", None),
        (None, "head:6379", ClusterAddress("head:6379", "RAY_ADDRESS")),
        (None, "local", None),
        ("auto", None, ClusterAddress("auto", "executor.ray_address")),
        ("auto", "head:6379", ClusterAddress("head:6379", "RAY_ADDRESS")),
        ("auto", "auto", ClusterAddress("auto", "RAY_ADDRESS")),
        ("local", "head:6379", None),
        ("other:6379", "head:6379", ClusterAddress("other:6379", "executor.ray_address")),
    ],
)
def test_the_variable_counts_where_the_configuration_names_no_cluster(
    monkeypatch: pytest.MonkeyPatch, configured: str | None, environment: str | None, expected: ClusterAddress | None
) -> None:
    """A concrete address of the configuration wins; `auto` and none leave it to RAY_ADDRESS; `local` starts Ray."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    if environment is not None:
        monkeypatch.setenv("RAY_ADDRESS", environment)
    assert cluster_address(configured) == expected
