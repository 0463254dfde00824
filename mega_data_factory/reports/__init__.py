"""A run as one HTML file that opens offline, from a mail attachment, on a phone and on paper."""

from mega_data_factory import extras

with extras.needed_by("a report"):
    from mega_data_factory.reports.report import Report, report_name, write_report

__all__ = ["Report", "report_name", "write_report"]
