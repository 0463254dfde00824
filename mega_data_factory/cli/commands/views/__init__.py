"""Commands that show a run or its nodes: as a file, a figure, a web application or a table."""
