"""Charts of nodes: pure functions from series to Plotly figures.

Every figure says what it thinned. Its `layout.meta` tells a page around it of its rows, and the `meta` of a trace tells
of which node and metric it is; without such a page, in a notebook or an image, the figure is complete by itself.

- Figures: `node_metrics`, `overview`, `heatmap`, `correlation`.
- Their parts: `rows` over one `time_axis`, `lines` of series, `strips` of colour, labels of `attributes`.
- What they draw: `curves`, from a selection.
"""
