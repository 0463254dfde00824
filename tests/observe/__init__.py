"""Tests of observed runs."""
