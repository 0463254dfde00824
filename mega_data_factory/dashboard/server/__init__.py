"""The server around the application: access, checks of requests, answers to failures."""
