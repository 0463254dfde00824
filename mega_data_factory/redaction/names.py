"""Names of keys that say their value is secret, and names that only look alike."""

from __future__ import annotations

import re
from typing import Any

_NOUNS = re.compile(
    r"(^|_)(passwords?|passwd|passphrase|passcode|pwd|pw|secrets?|credentials?|creds|auth|auths|authorization|bearer"
    r"|cookies?|jwt|sas|otp|webhooks?|dsn|(connection|conn)_(string|str)|connstr|connectionstring"
    r"|(recovery|backup)_codes?|service_account(_(json|info))?"
    r"|(x_amz|x_goog|x_hub|shared_access|request)_signature|shared_access_signature"
    r"|(api|access|private|secret|account|encryption|signing|storage|shared|master|deploy|session|service|ingest|admin"
    r"|license|hmac|ssh|pgp|gpg|tls|ssl|rsa|app|application|consumer|subscription|cosmos|instrumentation|integration"
    r"|recovery|unseal|age|kms|jwk)_?keys?)(_|$)"
)
"""Parts of a key, in snake case, that say its value is secret."""

_RUN_TOGETHER = re.compile(
    r"(password|passwd|passphrase|clientsecret|appsecret|apisecret|apikey|secretkey|privatekey|accesskey|masterkey"
    r"|(api|access|auth|bearer|session|security|identity|sas|refresh|id|hf|bot|csrf|xsrf|login|app|gh|github|gitlab|npm"
    r"|pypi|slack|vault|jwt|oauth|secret)token"
    r"|(^|_)(user|db|pg|my|mysql|redis|smtp|mail|ftp|ssh|admin|root|login|sudo|ldap|ssh)pass)$"
)
"""Ends of keys whose words are written without anything between."""

_ISSUERS = (
    "openai|anthropic|claude|cohere|mistral|gemini|google|azure|aws|gcp|groq|together|replicate|deepseek|openrouter|xai"
    "|perplexity|huggingface|hf|wandb|comet|neptune|clearml|langsmith|langchain|langfuse|voyage|jina|serpapi|tavily"
    "|pinecone|qdrant|weaviate|datadog|dd|newrelic|sentry|honeycomb|grafana|stripe|twilio|sendgrid|mailgun|slack|discord"
    "|telegram|github|gh|gitlab|npm|pypi|databricks|snowflake|algolia|elastic|kaggle|nvidia|ngc|cloudflare|digitalocean"
    "|heroku|vercel|netlify|notion|airtable|okta|auth0|firebase|supabase|fireworks|elevenlabs|deepgram|assemblyai"
    "|cerebras|runpod|modal|roboflow|scale|labelbox|zilliz|milvus"
)
_ISSUED = re.compile(rf"(^|_)((({_ISSUERS})_keys?)|(({_ISSUERS}|access|personal|devops)_pat))$|^pat$")
"""Keys that are named after their issuer, and `pat` alone: a personal access token; `file_pat` is a pattern.

A key of S3 or of a cache is the name of an object.
"""

_PASS = re.compile(r"(^|_)pass$")
_RUNS_THROUGH = frozenset(
    """
    first second third last next final one two three n single multi each per full forward backward high low band
    all max min num
    """.split()  # noqa: SIM905 - a list of words is easier to read without quotes
)
"""Words before `pass` that make it a way through the data."""

_TOKEN = re.compile(r"(^|_)tokens?$")
_PIECE_OF_TEXT = re.compile(r"</?[^<>\s]*>|<\|[^<>\s]*\|>|\[[A-Z0-9_]+\]")
_TOKENS_OF_TEXT = frozenset(
    """
    eos bos pad unk sep cls mask special stop bad extra additional prompt completion input output max min num n
    total image video audio start end begin separator delimiter added new word sub context generated per target
    source src tgt vocab first last next previous prev current text eot eod split chunk overlap class language
    lang task fill empty dummy blank boundary newline prefix suffix middle placeholder response reasoning thinking
    cached
    """.split()  # noqa: SIM905 - a list of words is easier to read without quotes
)
"""Words before `token` that make it a piece of text, or a number of these."""

_TOKENS_THAT_OPEN = re.compile(
    rf"(^|_)({_ISSUERS}|api|access|auth|bearer|session|security|refresh|secret|bot|personal|service|vault|oauth)_tokens$"
)
"""Several tokens are mostly text; these are not."""

_SWITCHES = frozenset(
    """
    is has use uses require requires need needs allow enable disable show hide validate
    """.split()  # noqa: SIM905 - a list of words is easier to read without quotes
)
"""First words of keys that say whether, not what."""

_HARMLESS_ENDS = frozenset(
    """
    length min max column columns field fields count limit policy type mode method enabled required rounds ttl
    seconds minutes hours days age timeout uri endpoint host port path file dir folder env var name names provider
    format prefix suffix pattern regex rate ratio url algorithm alg issuer audience expiry expires expiration ref
    size bits dim version status strength scope scopes backend domain realm server region callback class plugin
    scheme flow store manager source label title prompt process level kind threshold index position
    check checks
    """.split()  # noqa: SIM905 - a list of words is easier to read without quotes
)
"""Last words of keys that describe a secret, and are none: `password_min_length`, `auth_mode`."""


def names_secret(key: str, value: Any = None) -> bool:
    """Return whether the name of a key says that its value is secret.

    A number under `…_token` is an amount, and `<pad>` or `[SEP]` there is a piece of text.
    """
    words = re.sub(r"(?<=[a-z])_?\d+$", "", snake(key).strip("_")).split("_")
    name, last = "_".join(words), words[-1]
    if name.endswith("webhook_url"):
        return True
    if last in _HARMLESS_ENDS or (len(words) > 1 and words[0] in _SWITCHES):
        return False
    if _TOKEN.search(name):
        return _is_secret_token(name, words, value)
    if _PASS.search(name):
        return not isinstance(value, bool) and not (len(words) > 1 and words[-2] in _RUNS_THROUGH)
    return bool(_NOUNS.search(name) or _RUN_TOGETHER.search(name) or _ISSUED.search(name))


def _is_secret_token(name: str, words: list[str], value: Any) -> bool:
    amount = isinstance(value, int | float) or (isinstance(value, str) and value.isdigit())
    piece = isinstance(value, str) and _PIECE_OF_TEXT.fullmatch(value)
    if amount or piece or (len(words) > 1 and words[-2] in _TOKENS_OF_TEXT):
        return False
    return words[-1] == "token" or len(words) == 1 or bool(_TOKENS_THAT_OPEN.search(name))


def snake(key: str) -> str:
    """Return `hfToken`, `X-Amz-Token` and `APIKey` in snake case."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", key)
    return re.sub(r"[^a-z0-9]+", "_", words.lower())
