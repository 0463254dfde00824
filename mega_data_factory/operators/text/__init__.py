"""Texts of a whole column at once: words, lines, repetition, scripts."""
