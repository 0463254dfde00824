"""Secrets are kept out of what is stored with a run, and nothing else is."""

import pytest

from mega_data_factory.framework.metrics.redaction import redacted, without_credentials

AWS_KEY = "AKIA" + "IOSFODNN7EXAMPLE"
GITHUB = "ghp_" + "a1B2" * 9


@pytest.mark.parametrize(
    "key",
    [
        "password", "db_password", "PASSWORD", "passwd", "secret", "client_secret", "clientSecret", "secretKey",
        "token", "hf_token", "hfToken", "HF-Token", "api_key", "apiKey", "APIKey", "apikey", "x-api-key",
        "aws_access_key_id", "aws_secret_access_key", "private_key", "account_key", "credentials", "Authorization",
        "cookie", "sas", "connection_string", "encryption_key", "passwords", "api_keys",
    ],
)  # fmt: skip
def test_a_key_that_looks_secret_is(key):
    """Whatever the spelling, the value goes and the key stays."""
    assert redacted({"params": [{key: "hunter2"}]}) == {"params": [{key: "***"}]}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("max_tokens", 512), ("tokenizer", "gpt2"), ("author", "Ada"), ("keys", ["url", "text"]), ("key", "url"),
        ("monkey", "x"), ("primary_key", "id"), ("secretary", "Bob"), ("passage", "text"), ("basic", True),
        ("password", None), ("token", ""), ("require_auth", False), ("password", "${DB_PASSWORD}"),
    ],
)  # fmt: skip
def test_a_key_that_does_not_is_kept(key, value):
    """Amounts, names of columns, switches and variables that are not filled in are no secrets."""
    assert redacted({key: value}) == {key: value}


def test_a_number_or_a_default_may_be_a_secret():
    """A password of digits goes, and so does what stands in for a variable."""
    assert redacted({"password": 1234, "token": "${T:-abc}"}) == {"password": "***", "token": "***"}


def test_all_that_is_below_a_secret_key_goes():
    """Lists and mappings keep their form only; the configuration that was given stays as it is."""
    config = {"credentials": {"user": "me", "keys": ["a", 1]}, "storage_options": {"key": "id", "secret": "s"}}
    assert redacted(config) == {
        "credentials": {"user": "***", "keys": ["***", "***"]},
        "storage_options": {"key": "***", "secret": "***"},
    }
    assert config["credentials"]["user"] == "me"


def test_further_keys_may_be_named_by_patterns():
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
def test_credentials_in_a_text_go(text, kept):
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
def test_other_texts_stay(text):
    """A path with `@`, a port or a query is no secret."""
    assert without_credentials(text) == text
