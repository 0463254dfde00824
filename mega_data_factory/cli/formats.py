"""How numbers are written on the screen: as in every other view."""

from mega_data_factory.visualization.formats import NOTHING, count, moment, percent, plural, rate, seconds, size

__all__ = ["NOTHING", "count", "moment", "percent", "plural", "rate", "seconds", "size"]
