"""Metrics as files of data: the suffix says which kind."""

from mega_data_factory.visualization.export.frame import export_frame

__all__ = ["export_frame"]
