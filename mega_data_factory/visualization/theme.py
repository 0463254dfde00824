"""Theme of all figures: colours, fonts, sizes, and the Plotly template made of them.

The colours of series stay apart for people who do not see red, green or blue as others do. They were searched so that
in OKLab (Ottosson 2020), as seen and through the simulation of Machado, Oliveira and Fernandes (2009) of protanopia,
deuteranopia and tritanopia, no two of a palette come closer than 8, and contrast with the background is at least 2.9
on light and 4.5 on dark (WCAG asks 3 of graphics). A test holds them to it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mega_data_factory.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    import plotly.graph_objects as go

SANS = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'
MONO = 'ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace'


@dataclass(frozen=True)
class Theme:
    """A look. Derive your own with `dataclasses.replace(LIGHT, font_family="Inter")`.

    Attributes:
        name: for messages and the `data-theme` attribute of pages.
        dark: whether text is light on dark; pages tell the browser, for its scroll bars and form controls.
        background: of the page and of the paper of a figure.
        surface: of panels, buttons, and cards that lie on the background.
        text: of titles and values.
        muted: of axis labels and notes; contrast with the background at least 4.5.
        grid: lines that should be seen only when looked for.
        border: edges of panels and controls.
        accent: links, the chosen control, a single highlighted thing.
        palette: colours of series, in this order; then they start again.
        good: active, completed, within bounds.
        warning: degraded, close to a bound.
        bad: unhealthy, failed, an anomaly.
        sequential: colours from little to much.
        diverging: colours from -1 over nothing to +1.
        font_family: CSS font stack; nothing is fetched, so these must be on the reader's machine.
        mono_family: the same, for code and numbers in columns.
        font_size: of labels, in pixels.
        title_size: of the title of a figure, in pixels.
        line_width: of series, in pixels.
    """

    name: str
    dark: bool
    background: str
    surface: str
    text: str
    muted: str
    grid: str
    border: str
    accent: str
    palette: tuple[str, ...]
    good: str
    warning: str
    bad: str
    sequential: tuple[str, ...]
    diverging: tuple[str, ...]
    font_family: str = SANS
    mono_family: str = MONO
    font_size: int = 12
    title_size: int = 17
    line_width: float = 1.5

    def colour(self, index: int) -> str:
        """Return the colour of the series number `index`, from 0; the palette starts again when it is used up."""
        return self.palette[index % len(self.palette)]

    def faint(self, colour: str, opacity: float) -> str:
        """Return a `#rrggbb` colour made transparent: `rgba(…)`."""
        red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
        return f"rgba({red},{green},{blue},{opacity:g})"

    def scale(self, colours: tuple[str, ...]) -> list[tuple[float, str]]:
        """Return a Plotly colour scale of colours at equal distances."""
        return [(index / (len(colours) - 1), colour) for index, colour in enumerate(colours)]

    def larger(self, factor: float) -> Theme:
        """Return the same look with fonts and lines `factor` times as large, for slides or print."""
        return replace(
            self,
            font_size=round(self.font_size * factor),
            title_size=round(self.title_size * factor),
            line_width=self.line_width * factor,
        )

    def css(self) -> str:
        """Return the theme as CSS custom properties of `:root`: `--text`, `--muted`, …, for pages around plots."""
        colours = ("background", "surface", "text", "muted", "grid", "border", "accent", "good", "warning", "bad")
        lines = [f"--{name}: {getattr(self, name)};" for name in colours]
        lines += [f"--series-{number}: {colour};" for number, colour in enumerate(self.palette, 1)]
        lines += [f"--sans: {self.font_family};", f"--mono: {self.mono_family};", f"--size: {self.font_size}px;"]
        return f":root {{ color-scheme: {'dark' if self.dark else 'light'}; {' '.join(lines)} }}"

    def template(self) -> go.layout.Template:
        """Return the Plotly template: `figure.update_layout(template=theme.template())`."""
        import plotly.graph_objects as go

        axis = self._axis()
        font = {"family": self.font_family, "size": self.font_size, "color": self.text}
        layout = go.Layout(
            font=font,
            title={
                "font": {"size": self.title_size, "color": self.text},
                "x": 0,
                "xanchor": "left",
                "xref": "container",
            },
            paper_bgcolor=self.background,
            plot_bgcolor=self.background,
            colorway=list(self.palette),
            colorscale={"sequential": self.scale(self.sequential), "diverging": self.scale(self.diverging)},
            xaxis={**axis, "showgrid": False, "showline": True, "ticks": "outside", "ticklen": 4},
            yaxis=axis,
            legend={
                "orientation": "h",
                "font": {"color": self.text},
                "bgcolor": "rgba(0,0,0,0)",
            },
            hoverlabel={"bgcolor": self.surface, "bordercolor": self.border, "font": font, "align": "left"},
            modebar={"bgcolor": "rgba(0,0,0,0)", "color": self.muted, "activecolor": self.accent},
            hovermode="x unified",
            margin={"l": 64, "r": 24, "t": 64, "b": 48},
            annotationdefaults={"font": {"color": self.text, "size": self.font_size}, "showarrow": False},
            coloraxis={"colorbar": {"outlinewidth": 0, "thickness": 12, "tickfont": {"color": self.muted}}},
        )
        template = go.layout.Template(layout=layout)
        template.data.scatter = [go.Scatter(line={"width": self.line_width})]
        return template

    def _axis(self) -> dict[str, object]:
        """Return the properties that all axes share."""
        return {
            "gridcolor": self.grid,
            "linecolor": self.border,
            "zerolinecolor": self.grid,
            "tickcolor": self.border,
            "tickfont": {"color": self.muted, "size": self.font_size - 1},
            "title": {"font": {"color": self.muted, "size": self.font_size}, "standoff": 8},
            "automargin": True,
            "zeroline": False,
        }


LIGHT = Theme(
    name="light",
    dark=False,
    background="#ffffff",
    surface="#f6f7f9",
    text="#1b2027",
    muted="#5c6570",
    grid="#e9ecf0",
    border="#c9cfd8",
    accent="#0e48dd",
    palette=("#0e48dd", "#be3300", "#00907c", "#8d3792", "#4197ff", "#c09000", "#2b2a66"),
    good="#00907c",
    warning="#c09000",
    bad="#be3300",
    sequential=("#f2f6ff", "#c3d6fb", "#86adf3", "#4580e8", "#0e48dd", "#0a2f93", "#081c55"),
    diverging=("#a02b00", "#dd6a3f", "#f4bfa7", "#f6f7f9", "#b3cbfa", "#5b8eee", "#0e48dd"),
)

DARK = Theme(
    name="dark",
    dark=True,
    background="#14181f",
    surface="#1d232c",
    text="#e6e9ee",
    muted="#9aa4b1",
    grid="#262d38",
    border="#3b4553",
    accent="#18b8ff",
    palette=("#18b8ff", "#ff7506", "#21eca7", "#e97fbf", "#cbe6ff", "#ffcc29", "#8070ee"),
    good="#21eca7",
    warning="#ffcc29",
    bad="#ff7506",
    sequential=("#1a212c", "#17395a", "#11588d", "#0e7fbe", "#18b8ff", "#8fdcff", "#e6f7ff"),
    diverging=("#ffb27a", "#ff7506", "#8a4512", "#1d232c", "#125a80", "#18b8ff", "#a9e4ff"),
)

THEMES = {theme.name: theme for theme in (LIGHT, DARK)}


def theme_named(theme: str | Theme) -> Theme:
    """Return a theme, or the one of a name.

    Raises:
        ConfigError: there is none of that name.
    """
    if isinstance(theme, Theme):
        return theme
    if not isinstance(theme, str) or theme not in THEMES:
        raise ConfigError(f"there is no theme `{theme}`", hint=did_you_mean(str(theme), THEMES))
    return THEMES[theme]
