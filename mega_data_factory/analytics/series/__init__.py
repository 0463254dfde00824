"""Comparison of many series: which changed most in a window, and which move together."""
