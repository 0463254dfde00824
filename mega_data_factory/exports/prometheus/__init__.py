"""Prometheus: a scrape target and a push to a Pushgateway, in the text exposition format."""
