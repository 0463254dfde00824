"""Shared fixtures: nothing here starts a server or touches the network."""
