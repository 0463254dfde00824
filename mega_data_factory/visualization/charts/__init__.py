"""Charts of runs: pure functions from values of `analytics` to Plotly figures, shared by report and dashboard.

No chart reads, saves or keeps anything. None has a title of its own: the page around it has the heading. However long
the run and however many its operators, a figure holds a bounded number of points, and says in its subtitle or axis what
it left out. Names that users gave go through `labels.safe`: Plotly reads some HTML in texts.
"""
