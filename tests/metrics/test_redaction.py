"""Secrets are kept out of what is stored with a run, and nothing else is."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import pytest

from mega_data_factory.redaction import redacted, without_credentials

AWS_KEY = "AKIA" + "IOSFODNN7EXAMPLE"
GITHUB = "ghp_" + "a1B2" * 9


@pytest.mark.parametrize(
    "key",
    [
        "password", "db_password", "PASSWORD", "passwd", "secret", "client_secret", "clientSecret", "secretKey",
        "token", "hf_token", "hfToken", "HF-Token", "api_key", "apiKey", "APIKey", "apikey", "x-api-key",
        "aws_access_key_id", "aws_secret_access_key", "private_key", "account_key", "credentials", "Authorization",
        "cookie", "sas", "connection_string", "encryption_key", "passwords", "api_keys", "auth", "pwd", "openai_key",
        "anthropic_key", "wandb_key", "OPENAI_KEY", "PGPASSWORD", "accesstoken", "clientsecret", "db_pass",
        "webhook_url", "slack_webhook", "refresh_token", "password_2", "githubToken", "sentry_dsn", "SSH_KEY",
    ],
)  # fmt: skip
def test_a_key_that_looks_secret_is(key: str) -> None:
    """Whatever the spelling, the value goes and the key stays."""
    assert redacted({"params": [{key: "hunter2"}]}) == {"params": [{key: "***"}]}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("max_tokens", 512), ("tokenizer", "gpt2"), ("author", "Ada"), ("keys", ["url", "text"]), ("key", "url"),
        ("monkey", "x"), ("primary_key", "id"), ("secretary", "Bob"), ("passage", "text"), ("basic", True),
        ("password_min_length", 8), ("password_column", "pw_hash"), ("auth_mode", "basic"), ("token_url", "https://a/b"),
        ("pass_rate", 98.5), ("bypass", "yes"), ("pad_token", "<pad>"), ("special_tokens", ["<s>"]),
        ("eos_token", "</s>"),
        ("max_tokens", "512"), ("sort_key", "url"), ("partition_key", "day"), ("public_key", "ssh-ed25519 AAAA"),
        ("keyboard", "de"), ("foreign_key", "id"), ("text_key", "content"), ("api_key_env", "OPENAI_API_KEY"),
        ("compass", "north"), ("key_field", "id"), ("tokens_per_batch", 4096), ("secretion", "x"),
        ("password", None), ("token", ""), ("require_auth", False), ("password", "${DB_PASSWORD}"),
    ],
)  # fmt: skip
def test_a_key_that_does_not_is_kept(key: str, value: float | Sequence[str] | str | None) -> None:
    """Amounts, names of columns, switches and variables that are not filled in are no secrets."""
    assert redacted({key: value}) == {key: value}


def test_a_number_or_a_default_may_be_a_secret() -> None:
    """A password of digits goes, and so does what stands in for a variable."""
    assert redacted({"password": 1234, "token": "${T:-abc}"}) == {"password": "***", "token": "***"}


def test_all_that_is_below_a_secret_key_goes() -> None:
    """Lists and mappings keep their form only; the configuration that was given stays as it is."""
    config: dict[str, Any] = {
        "credentials": {"user": "me", "keys": ["a", 1]},
        "storage_options": {"key": "id", "secret": "s"},
    }
    assert redacted(config) == {
        "credentials": {"user": "***", "keys": ["***", "***"]},
        "storage_options": {"key": "***", "secret": "***"},
    }
    assert config["credentials"]["user"] == "me"


def test_further_keys_may_be_named_by_patterns() -> None:
    """Upper and lower case are the same; without the pattern the value is kept."""
    config = {"stages": [{"params": {"Customer_Name": "ACME", "customer_id": 7, "other": 1}}]}
    assert redacted(config, ["customer_*"])["stages"][0]["params"] == {
        "Customer_Name": "***",
        "customer_id": "***",
        "other": 1,
    }
    assert redacted(config) == config


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("s3://key:secret@bucket/a", "s3://***@bucket/a"),
        ("no s3://key:secret@b/x: bad name key:secret@b", "no s3://***@b/x: bad name ***@b"),
        ("s3://key:se/cr+et@bucket/a b", "s3://***@bucket/a b"),
        ("postgresql+psycopg://u:p%40ss@db:5432/x", "postgresql+psycopg://***@db:5432/x"),
        ("https://token@github.com/a.git", "https://***@github.com/a.git"),
        ("redis://:pass@host", "redis://***@host"),
        ("https://host/a?X-Amz-Signature=abc&b=1", "https://host/a?X-Amz-Signature=***&b=1"),
        ("https://acc.blob/x?sv=1&sig=abc%3D", "https://acc.blob/x?sv=1&sig=***"),
        ("https://h/?api_key=1#top", "https://h/?api_key=***#top"),
        (f"id {AWS_KEY}, token {GITHUB}.", "id ***, token ***."),
        ("host=db password=hunter2 user=me", "host=db password=*** user=me"),
        ("Driver=x;Server=y;password='hunter 2';", "Driver=x;Server=y;password=***;"),
        ("AccountName=a;AccountKey=a/b+c==;x=1", "AccountName=a;AccountKey=***;x=1"),
        ("connect(user='me', password='hunter 2')", "connect(user='me', password=***)"),
        ("xoxb-" + "1234567890-abc said no", "*** said no"),
        ("Authorization: Bearer abcdefgh.1234", "Authorization: Bearer ***"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----", "***"),
    ],
)
def test_credentials_in_a_text_go(text: str, kept: str) -> None:
    """User and password of a URI, signatures of a signed one, and tokens of known forms; the rest is readable."""
    assert without_credentials(text) == kept
    assert redacted({"path": [text]}) == {"path": [kept]}


@pytest.mark.parametrize(
    "text",
    [
        "s3://bucket/a@b", "http://host:8080/users/@me", "mail me@here.org", "a/b?c=d", "./metrics", "memory://x",
        "hf://datasets/user/name@main/a.parquet", "max_tokens=5 key=url", "text with a : colon and an @ sign", "gs://bucket/date=2026/token=x",
    ],
)  # fmt: skip
def test_other_texts_stay(text: str) -> None:
    """A path with `@`, a port or a query is no secret."""
    assert without_credentials(text) == text


STRIPE = "sk_" + "live_" + "a1B2c3D4" * 3


@pytest.mark.parametrize(
    "token",
    [
        AWS_KEY, GITHUB, "github_" + "pat_" + "11ABCDEFG0" * 4, STRIPE, "rk_" + "test_" + "a1B2c3D4" * 3,
        "npm_" + "a1B2c3" * 6, "pypi-" + "AgEIcHlwaS5vcmcC" * 4, "dapi" + "0a1b2c3d" * 4, "GOCSPX-" + "a1B2c3D" * 4,
        "ya29." + "a0AfH6SMB" * 4, "AIza" + "Sy" + "a1B2c3D4e5F" * 3, "hvs." + "CAESIJ" * 5,
        "glpat-" + "a1B2c3D4e5" * 2,
        "hf_" + "a1B2c3D4" * 4, "sk-" + "ant-api03-" + "a1B2" * 8, "xoxb-" + "1234567890-abc",
        "SG." + "a1B2c3D4" * 2 + "." + "a1B2c3D4" * 5,
        "dckr_" + "pat_" + "a1B2c3D4" * 3, "gsk_" + "a1B2c3D4" * 4, "ntn_" + "a1B2c3D4" * 5, "glsa_" + "a1B2c3D4" * 4,
        "123456789:AA" + "a1B2c3D4e5F" * 3, "do" + "p_v1_" + "0a1b2c3d" * 8,
    ],
)  # fmt: skip
def test_tokens_of_known_forms_go_under_any_key(token: str) -> None:
    """A token that its issuer has given a form is found anywhere, also within a sentence and a list."""
    assert redacted({"note": f"use {token}, please", "list": [token]}) == {"note": "use ***, please", "list": ["***"]}


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("https://hooks.slack.com/services/T000/B000/XXXX", "https://hooks.slack.com/***"),
        ("https://discord.com/api/webhooks/123/abc-DEF", "https://discord.com/api/webhooks/***"),
        ("Authorization: Basic dXNlcjpwYXNz", "Authorization: Basic ***"),
        ("Basic Authentication is used", "Basic Authentication is used"),
        ("-----BEGIN PGP PRIVATE KEY BLOCK-----\nx\n-----END PGP PRIVATE KEY BLOCK-----", "***"),
        ("psql --password=hunter2 -h db", "psql --password=*** -h db"),
        ("curl --api-key hunter2 --token-file t", "curl --api-key *** --token-file t"),
        ("password: hunter2", "password: ***"),
        ("password: ${PW}", "password: ${PW}"),
        ("{'api_key': 'hunter2', 'n': 1}", "{'api_key': ***, 'n': 1}"),
        ("data_loader.params.token: jsonl_loader has no such parameter", None),
        ("the key is primary_key: id, max_tokens: 512", None),
        ("sha256:0123456789abcdef and version 1.2.3", None),
        ("sk-learn is a library, s.lower() a method, key-value a pair", None),
    ],
)
def test_secrets_in_text_go_and_the_rest_stays(text: str, kept: str | None) -> None:
    """Web hooks, options, entries and headers lose their secret; what only looks alike is left alone."""
    assert without_credentials(text) == (text if kept is None else kept)


def test_secrets_in_lists_and_pairs_go() -> None:
    """Arguments behind an option, `value` beside `name`, and JSON within a value are looked into."""
    config = {
        "args": ["--password", "hunter2", "--user", "me", "--verbose", "--token=abc", "--api-key", "--next"],
        "env": [{"name": "OPENAI_API_KEY", "value": "hunter2"}, {"name": "HOME", "value": "/root"}],
        "options": '{"db": {"password": "hunter2"}, "n": 1}',
        "uris": ["s3://k:s@b/c", {"url": "https://u:p@h/"}],
    }
    assert redacted(config) == {
        "args": ["--password", "***", "--user", "me", "--verbose", "--token=***", "--api-key", "--next"],
        "env": [{"name": "OPENAI_API_KEY", "value": "***"}, {"name": "HOME", "value": "/root"}],
        "options": '{"db": {"password": "***"}, "n": 1}',
        "uris": ["s3://***@b/c", {"url": "https://***@h/"}],
    }


@pytest.mark.parametrize("text", ["=" * 20_000, "a:" * 20_000, "--a " * 20_000, "{" * 20_000, "password=" * 5_000])
def test_no_text_takes_long(text: str) -> None:
    """Patterns are linear: a text made to be slow takes no longer than another."""
    started = time.process_time()
    redacted({"a": text})
    assert time.process_time() - started < 5
