"""Figures as HTML files that need nothing: no server, no network, no other file."""

from mega_data_factory.visualization.page.document import html_document, plotly_script, script_json, script_sources
from mega_data_factory.visualization.page.figure_page import figure_page

__all__ = ["figure_page", "html_document", "plotly_script", "script_json", "script_sources"]
