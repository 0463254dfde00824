"""Whatever way a secret is written down, it goes; what only looks alike stays as it is."""

from __future__ import annotations

import json
import logging
import string
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mega_data_factory.cli import main
from mega_data_factory.redaction import described, redacted, without_credentials
from mega_data_factory.redaction.forms import FORMS
from mega_data_factory.redaction.loggers import logger
from mega_data_factory.redaction.names import snake

SECRET_NAMES = """
    password db_password passwd pwd db_pass smtp_pass userpass PGPASSWORD MYSQL_PWD REDISCLI_AUTH auth
    accesstoken access_token apitoken authtoken session_token bot_token slack_token hf_token HF_TOKEN github_pat
    openai_key OPENAI_KEY anthropic_key wandb_key cohere_key groq_key azure_key pinecone_key DD_APP_KEY
    stripe_key clientsecret client_secret app_secret consumer_secret consumer_key signing_secret webhook_secret
    webhook_url slack_webhook api_key apikey subscription_key app_key access_key aws_access_key_id
    aws_secret_access_key account_key shared_access_key master_key encryption_key private_key privatekey ssh_key
    gpg_passphrase passcode service_account_key service_account_json credentials creds proxy_authorization
    cookie jwt sas_token connection_string conn_str sentry_dsn secret secrets secret_key_base totp_secret
    recovery_codes hmac_key refresh_token id_token vault_token secret_id kaggle_key snowflake_password
    databricks_token password1 password_2 new_password ssl_key_password keystore_password
""".split()  # noqa: SIM905 - a list of words is easier to read without quotes

PLAIN_NAMES = """
    tokenizer tokenizer_name max_tokens min_tokens num_tokens token_count tokens_per_batch token_column
    token_type token_ids token_id special_tokens stop_tokens max_new_tokens target_tokens chunk_tokens
    overlap_tokens vocab_tokens pad_token token_budget token_ratio keys key_columns primary_key foreign_key
    sort_key partition_keys join_key group_key dedup_key cache_key text_key url_key s3_key object_key key_prefix
    keyboard keyword keywords keypoints monkey public_key routing_key idempotency_key password_min_length
    password_policy password_max_age password_column password_field pass_rate passes num_passes two_pass
    first_pass bypass compass passage passenger author authors author_name auth_mode auth_type auth_method
    auth_provider oauth_scopes secretary secret_name secret_ref cookie_policy signature_column num_signatures
    minhash_signature credential_type access_mode session_id session_name webhook_timeout jwt_algorithm
    token_url token_uri api_key_env secret_key_ref sas_expiry assassin basic salt seed private api_version
    api_base storage_class ssl_verify tls_version hmac_algorithm encryption_type account_id master service
    license shared_memory file_pat glob_pat pattern pwd_check password_check check_path
""".split()  # noqa: SIM905 - a list of words is easier to read without quotes


def test_a_personal_access_token_is_known_by_its_short_name() -> None:
    """`pat` alone; with other words before it, it is one only where these name an issuer."""
    given = {"pat": "abc123", "PAT": "abc123", "file_pat": "*.txt", "gitlab_pat": "abc123"}
    assert redacted(given) == {"pat": "***", "PAT": "***", "file_pat": "*.txt", "gitlab_pat": "***"}


def camel(name: str) -> str:
    head, *rest = name.split("_")
    return head.lower() + "".join(word.capitalize() for word in rest)


SPELLINGS: list[Callable[[str], str]] = [
    str,
    str.upper,
    camel,
    lambda name: name.replace("_", "-"),
    lambda name: name.replace("_", "-").title(),
    lambda name: f"my_{name}",
]

VALUE = st.text(string.ascii_letters + string.digits + "+/_.~!$%^*", min_size=6, max_size=24).map(
    lambda text: f"x{text}9Qz"
)

WAYS: dict[str, Callable[[str, str], Any]] = {
    "entry": lambda key, value: {key: value},
    "nested": lambda key, value: {"params": [{"deep": {key: value}}]},
    "below": lambda key, value: {key: {"a": [value, {"b": value}]}},
    "option and value": lambda key, value: {"args": ["run", f"--{key}", value, "--verbose"]},
    "option with value": lambda key, value: {"args": ["run", f"--{key}={value}"]},
    "command line": lambda key, value: {"command": f"tool --{key} {value} --n 5"},
    "quoted option": lambda key, value: {"command": f"tool --{key} '{value} and more'"},
    "variables": lambda key, value: {"env": [{"name": key, "value": value}, {"name": "HOME", "value": "/root"}]},
    "pairs": lambda key, value: {"env": [[snake(key).upper(), value], ["HOME", "/root"]]},
    "setting": lambda key, value: {"env": [f"{key}={value}"]},
    "export": lambda key, value: {"script": f"export {key}='{value}'\nrun"},
    "words": lambda key, value: {"error": f"cannot connect with host=db {key}={value} user=me"},
    "connection string": lambda key, value: {"url": f"Server=db;{key}={value} {value};Timeout=5"},
    "query": lambda key, value: {"url": f"https://host/path?a=1&{key}={quote(value, safe='')}&b=2"},
    "yaml line": lambda key, value: {"text": f"user: me\n{key}: {value} {value}\nport: 5"},
    "yaml block": lambda key, value: {"text": f"a: 1\n{key}: |\n  {value}\n  {value}\nport: 5"},
    "json": lambda key, value: {"text": json.dumps({"a": [{key: value, "n": 1}]})},
    "json in words": lambda key, value: {"text": f"body was {json.dumps({'a': {key: value}})}"},
    "json in json": lambda key, value: {"text": json.dumps({"a": json.dumps({key: value})})},
    "json in json in words": lambda key, value: {"text": "body was " + json.dumps(json.dumps({key: value}))},
    "repr": lambda key, value: {"text": f"called with { ({key: value, 'n': 1})!r}"},
    "call": lambda key, value: {"text": f"connect(user='me', {key}='{value}')"},
    "xml": lambda key, value: {"text": f"<a><{key}>{value}</{key}></a>"},
    "header": lambda key, value: {"command": f"curl -H '{key}: {value}' https://host/"},
}


def shown(config: dict[str, Any]) -> str:
    return json.dumps(redacted(config), ensure_ascii=False)


@pytest.mark.parametrize("way", WAYS)
@given(name=st.sampled_from(SECRET_NAMES), spelling=st.sampled_from(SPELLINGS), value=VALUE)
@settings(max_examples=25, deadline=None)
def test_no_secret_is_left(way: str, name: str, spelling: Callable[[str], str], value: str) -> None:
    """Under any spelling of a key that names a secret, in any form that configurations and messages have."""
    assert value not in shown(WAYS[way](spelling(name), value))


@pytest.mark.parametrize("way", WAYS)
@given(name=st.sampled_from(PLAIN_NAMES), spelling=st.sampled_from(SPELLINGS), value=VALUE)
@settings(max_examples=25, deadline=None)
def test_look_alikes_stay(way: str, name: str, spelling: Callable[[str], str], value: str) -> None:
    """Columns, amounts and descriptions of secrets are left alone in all the same forms."""
    config = WAYS[way](spelling(name), value)
    assert redacted(config) == config


@given(
    user=st.text(string.ascii_letters, min_size=1, max_size=8),
    password=st.text(string.ascii_letters + string.digits + "!$&'()*+,;=:@/%._~-", min_size=4, max_size=20).map(
        lambda text: f"x{text}9Qz"
    ),
    scheme=st.sampled_from(["s3", "https", "postgresql+psycopg", "redis", "mongodb+srv", "amqp"]),
)
@example(user="u", password="p@ss:w/rd", scheme="https")
@settings(max_examples=100, deadline=None)
def test_passwords_in_uris_go(user: str, password: str, scheme: str) -> None:
    """A password may hold what should have been quoted; host and path stay readable."""
    password = password.replace("'", "").replace("@", "") if "/" in password else password.replace("'", "")
    text = f"{scheme}://{user}:{password}@host.example/path"
    for config in ({"path": text}, {"paths": ["a", text]}, {"said": f"cannot open {text}: no"}):
        told = shown(config)
        assert password not in told
        assert "host.example/path" in told


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Authorization: Token hunter2", "Authorization: Token ***"),
        ("authorization=ApiKey hunter2", "authorization=ApiKey ***"),
        ('Authorization: Digest username="a", response="hunter2"', "Authorization: Digest ***"),
        ("{'Authorization': 'Token hunter2', 'n': 1}", "{'Authorization': 'Token ***', 'n': 1}"),
        ("Authorization: Bearer ${TOKEN}", "Authorization: Bearer ${TOKEN}"),
        ("Cookie: a=b; session=hunter2", "Cookie: ***"),
        ("curl -u me:hunter2 https://h", "curl -u me:*** https://h"),
        ("docker run -u 1000:1000 image", "docker run -u 1000:1000 image"),
        ("machine h login me password hunter2", "machine h login me password ***"),
        ("jdbc:oracle:thin:scott/hunter2@//h:1521/x", "jdbc:oracle:thin:scott/***@//h:1521/x"),
        ("//registry.example/:_authToken=hunter2", "//registry.example/:_authToken=***"),
        ("https://h/#access_token=hunter2&n=1", "https://h/#access_token=***&n=1"),
        ("java -Dpassword=hunter2 Main", "java -Dpassword=*** Main"),
        ("password: null, secret: true", "password: null, secret: true"),
        ("auth://host and password=", "auth://host and password="),
        ("executor.metrics.otlp.headers.token: should be text", "executor.metrics.otlp.headers.token: should be text"),
        ("if password == other and token != None", "if password == other and token != None"),
        ("pad_token=<pad>, unk: [UNK], my_token: <|end|>", "pad_token=<pad>, unk: [UNK], my_token: <|end|>"),
    ],
)
def test_other_forms(text: str, kept: str) -> None:
    """Headers keep their scheme; logins, tokens of npm, fragments and system properties are known."""
    assert without_credentials(text) == kept


def test_neighbours_tell() -> None:
    """The private parts of a JSON web key and the data of a Secret of Kubernetes go; headers as pairs too."""
    config = {
        "jwk": {"kty": "EC", "crv": "P-256", "x": "abc", "d": "hunter2"},
        "manifest": {"kind": "Secret", "data": {"any": "hunter2"}},
        "headers": [["X-Api-Key", "hunter2"], ["Accept", "text/html"]],
        "columns": [["token", "pos"], ["password", "hash"]],
    }
    assert redacted(config) == {
        "jwk": {"kty": "EC", "crv": "P-256", "x": "abc", "d": "***"},
        "manifest": {"kind": "Secret", "data": {"any": "***"}},
        "headers": [["X-Api-Key", "***"], ["Accept", "text/html"]],
        "columns": [["token", "pos"], ["password", "hash"]],
    }


@settings(max_examples=75, deadline=None)
@given(st.sampled_from(range(len(FORMS))), st.data())
def test_every_form_of_the_table_is_found_anywhere(number: int, data: st.DataObject) -> None:
    """Whatever matches a published form goes, in a sentence, in a list, and under a harmless key."""
    form, source = FORMS[number]
    assert source
    lead = {"slack": "https://hooks.slack.com/", "/api/webhooks": "https://discord.com/api/webhooks/"}
    lead |= {
        "zapier": "https://hooks.zapier.com/hooks/",
        "office": "https://x.webhook.office.com/",
        "[Bb]earer": "Bearer ",
    }
    before = next((text for mark, text in lead.items() if mark in form), "")
    plain = form[form.index(")") + 1 :] if form.startswith("(?<") else form
    token = data.draw(st.from_regex(plain, fullmatch=True, alphabet=st.characters(min_codepoint=32, max_codepoint=126)))
    token = before + token.strip()
    inner = token.removeprefix(before)
    assert inner not in shown({"note": f"use {token} , please", "list": [token]}) or len(inner) < 6


@settings(max_examples=100, deadline=None)
@given(st.recursive(st.none() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)))
def test_nothing_breaks_it(value: Any) -> None:
    """Any value gives one of the same form; doing it again changes nothing."""
    once = redacted({"value": value})
    assert redacted(once) == once


@pytest.mark.parametrize(
    "text",
    [
        "a" * 50_000, "=" * 50_000, "a:" * 25_000, "--a " * 15_000, "{" * 50_000, "password=" * 6_000, "\\" * 50_000,
        "'" * 50_000, "password='" + "'" * 50_000,
        "://" * 15_000, "a://b:c" * 8_000, "<a>" * 15_000, "token: {" * 6_000,
        "password: " + " #" * 20_000, "a=" + "b;" * 20_000, "Cookie: '" * 6_000,
        "password: \\\"" * 5_000, "-u " * 15_000,
        "login " * 8_000, "\n password:\n" * 4_000,
    ],
)  # fmt: skip
def test_no_text_takes_long(text: str) -> None:
    """Patterns are linear, or nearly: a text made to be slow takes no longer than another."""
    started = time.process_time()
    redacted({"a": text, "b": f"x\n{text}"})
    assert time.process_time() - started < 5


def test_logs_carry_no_credentials(caplog: pytest.LogCaptureFixture) -> None:
    """Messages and tracebacks of the package's loggers are cleaned before any handler sees them."""
    log = logger("mega_data_factory.metrics")
    with caplog.at_level(logging.INFO, "mega_data_factory.metrics"):
        log.warning("cannot reach %s", "https://me:hunter2@host/")
        try:
            raise ValueError("password=hunter2")
        except ValueError:
            log.exception("it failed")
    assert len(caplog.records) == 2
    assert "hunter2" not in caplog.text
    assert "https://***@host/" in caplog.text
    assert "ValueError" in caplog.text


def test_yaml_of_a_pipeline_within_a_text_is_clean() -> None:
    """A whole configuration that stands in a message is read like one that is a mapping."""
    config = {"loader": {"params": {"storage_options": {"key": "a", "secret": "hunter2", "token": "hunter3"}}}}
    told = without_credentials(f"got:\n{yaml.safe_dump(config)}")
    assert "hunter" not in told
    assert "storage_options" in told


def test_errors_of_records_and_refused_parameters_are_clean(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What an operator raises for a record, and what it says of a parameter that it refuses, carry no secret."""
    assert described(ValueError("no route to https://me:hunter2@host/")) == "ValueError: no route to https://***@host/"
    (tmp_path / "picky_about_tokens.py").write_text(
        """
from mega_data_factory.operators.filters.text_length_filter import TextLengthFilter

class Picky(TextLengthFilter):
    def __init__(self, *, api_token="", note="", uris=()):
        super().__init__()
        if len(api_token) < 20:
            raise ValueError(f"api_token is {api_token!r}, too short")
"""
    )
    (tmp_path / "p.yaml").write_text(
        """
data_loader: {type: jsonl_loader, params: {path: "s3://me:hunter2@bucket/x"}}
stages: [{name: s, operators: [{name: "picky_about_tokens:Picky", params: {api_token: hunter2}}]}]
data_writer: {type: jsonl_writer, params: {output_path: out}}
executor: {metrics: {redact: [note]}}
"""
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    assert main(["validate", "--config", "p.yaml", "--json"]) == 2
    answer = capsys.readouterr()
    assert "api_token is ***, too short" in answer.err
    assert "hunter2" not in answer.err + answer.out
    good = (
        "stages.0.operators.0.params={api_token: hunter2hunter2hunter2, note: hunter2, uris: ['https://u:hunter2@h/']}"
    )
    assert main(["plan", "--config", "p.yaml", "--json", "--set", good]) == 0
    answer = capsys.readouterr()
    assert "hunter2" not in answer.out
    assert json.loads(answer.out)["stages"][0]["operators"][0]["params"] == {
        "api_token": "***",
        "note": "***",
        "uris": ["https://***@h/"],
    }
