"""What secrets look like: names of keys that hold them, and the forms of tokens that their issuers have published."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

_NOUNS = re.compile(
    r"(^|_)(passwords?|passwd|passphrase|passcode|pwd|pw|secrets?|credentials?|creds|auth|authorization|bearer|cookies?"
    r"|jwt|sas|signature|webhooks?|dsn|connection_string|conn_str"
    r"|(api|access|private|secret|account|encryption|signing|storage|shared|master|deploy|session|service|ingest|admin"
    r"|license|hmac|ssh|pgp|gpg|tls|ssl|rsa)_?keys?)(_|$)"
    r"|(^|_)pass$"
    r"|(password|passwd|passphrase|clientsecret|apikey|secretkey|privatekey|accesskey|(access|auth|refresh|id|hf)token)$"
)
"""Parts of a key, in snake case, that say its value is secret."""

_VENDOR_KEY = re.compile(
    r"(^|_)(openai|anthropic|claude|cohere|mistral|gemini|google|azure|aws|gcp|gcs|s3|r2|groq|together|replicate|deepseek"
    r"|openrouter|xai|perplexity|huggingface|hf|wandb|comet|neptune|clearml|langsmith|langchain|langfuse|voyage|jina"
    r"|serpapi|tavily|pinecone|qdrant|weaviate|datadog|dd|newrelic|sentry|honeycomb|grafana|stripe|twilio|sendgrid"
    r"|mailgun|slack|discord|telegram|github|gitlab|npm|pypi|databricks|snowflake|algolia|elastic|kaggle|nvidia|ngc"
    r"|cloudflare|digitalocean|heroku|vercel|netlify|notion|airtable|okta|auth0|firebase|supabase|fireworks|elevenlabs"
    r"|deepgram|assemblyai)_keys?$"
)
"""Keys that are named after who issued them."""

_TOKEN = re.compile(r"(^|_)tokens?$")

_TOKENS_OF_TEXT = frozenset(
    """
    eos bos pad unk sep cls mask special stop bad extra additional prompt completion input output max min num
    n total image video start end begin separator delimiter added new word sub context generated per
    """.split()  # noqa: SIM905 - a list of so many words is easier to read without quotes
)
"""Words before `token` that make it a piece of text, or a number of these."""

_HARMLESS_ENDS = frozenset(
    """
    length min max column columns field fields count limit policy type mode method enabled required rounds ttl
    seconds minutes timeout uri endpoint host port path file dir folder env var name names provider format
    prefix suffix pattern regex rate ratio url
    """.split()  # noqa: SIM905 - a list of so many words is easier to read without quotes
)
"""Last words of keys that describe a secret, and are none: `password_min_length`, `auth_mode`."""


def names_secret(key: str, value: Any = None) -> bool:
    """Whether the name of a key says that its value is secret; a number under `…_token` is an amount."""
    words = snake(key).strip("_").split("_")
    while len(words) > 1 and words[-1].isdigit():
        words.pop()
    name = "_".join(words)
    if words[-1] in _HARMLESS_ENDS and not name.endswith("webhook_url"):
        return False
    if _TOKEN.search(name):
        amount = isinstance(value, int | float) or (isinstance(value, str) and value.isdigit())
        return not amount and not (len(words) > 1 and words[-2] in _TOKENS_OF_TEXT)
    return bool(_NOUNS.search(name) or _VENDOR_KEY.search(name))


def snake(key: str) -> str:
    """Return `hfToken`, `X-Amz-Token` and `APIKey` in snake case."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", key)
    return re.sub(r"[^a-z0-9]+", "_", words.lower())


_FORMS: tuple[tuple[str, str], ...] = (
    (r"\b(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16}\b", "AWS: IAM identifiers, unique ID prefixes"),
    (r"\bgh[pousr]_[A-Za-z0-9]{30,}", "GitHub: behind its token formats"),
    (r"\bgithub_pat_[A-Za-z0-9_]{22,}", "GitHub: fine-grained personal access tokens"),
    (r"\bgl(?:pat|dt|rt|rtr|cbt|ptt|ft|imt|agent|oas|soat|ffct)-[A-Za-z0-9_.-]{20,}", "GitLab: token prefixes"),
    (r"\b(?:hf|api_org)_[A-Za-z0-9]{20,}", "Hugging Face: user access tokens"),
    (r"\bsk-[A-Za-z0-9_-]{20,}", "OpenAI, Anthropic, DeepSeek, OpenRouter: API keys"),
    (r"\bgsk_[A-Za-z0-9]{20,}", "Groq: API keys"),
    (r"\bxai-[A-Za-z0-9]{20,}", "xAI: API keys"),
    (r"\br8_[A-Za-z0-9]{30,}", "Replicate: API tokens"),
    (r"\bpplx-[A-Za-z0-9]{32,}", "Perplexity: API keys"),
    (r"\btvly-[A-Za-z0-9-]{20,}", "Tavily: API keys"),
    (r"\b(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{16,}", "Stripe: API keys"),
    (r"\bwhsec_[A-Za-z0-9+/=]{24,}", "Stripe, Svix: webhook secrets"),
    (r"\bnpm_[A-Za-z0-9]{36,}", "npm: access tokens"),
    (r"\bpypi-[A-Za-z0-9_-]{16,}", "PyPI: API tokens"),
    (r"\brubygems_[0-9a-f]{48}", "RubyGems: API keys"),
    (r"\bdckr_[po]at_[A-Za-z0-9_-]{20,}", "Docker: access tokens"),
    (r"\bdapi[0-9a-f]{32}(?:-\d+)?\b", "Databricks: personal access tokens"),
    (r"\bAIza[A-Za-z0-9_-]{35}", "Google: API keys"),
    (r"\bGOCSPX-[A-Za-z0-9_-]{20,}", "Google: OAuth client secrets"),
    (r"\bya29\.[A-Za-z0-9_-]{20,}", "Google: OAuth access tokens"),
    (r"\b1//0[A-Za-z0-9_-]{20,}", "Google: OAuth refresh tokens"),
    (r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}|\bxapp-\d-[A-Za-z0-9-]{10,}", "Slack: token types"),
    (r"(?<=hooks\.slack\.com/)(?:services|workflows|triggers)/[^\s\"']+", "Slack: incoming webhooks"),
    (r"(?<=/api/webhooks/)\d+/[^\s\"']+", "Discord: webhook resource"),
    (r"(?<=\.webhook\.office\.com/)[^\s\"']+", "Microsoft Teams: incoming webhooks"),
    (r"\bhv[sbr]\.[A-Za-z0-9_-]{20,}|\bs\.[A-Za-z0-9]{24}\b", "HashiCorp Vault: tokens"),
    (r"\b[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_-]{60,}", "HCP Terraform: API tokens"),
    (r"\bSG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{16,64}", "SendGrid: API keys"),
    (r"\bSK[0-9a-f]{32}\b", "Twilio: API keys"),
    (r"\bkey-[0-9a-f]{32}\b", "Mailgun: API keys"),
    (r"\b\d{8,10}:AA[A-Za-z0-9_-]{33}", "Telegram: bot tokens"),
    (r"\bdo[opr]_v1_[0-9a-f]{64}", "DigitalOcean: personal access tokens"),
    (r"\bshp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}", "Shopify: access tokens"),
    (r"\bATATT3[A-Za-z0-9_=-]{50,}", "Atlassian: API tokens"),
    (r"\blin_api_[A-Za-z0-9]{40}", "Linear: API keys"),
    (r"\bntn_[A-Za-z0-9]{40,}", "Notion: integration secrets"),
    (r"\bNRAK-[A-Z0-9]{27}", "New Relic: user keys"),
    (r"\bgl(?:c|sa)_[A-Za-z0-9_+/=]{20,}", "Grafana: cloud and service account tokens"),
    (r"\bsntry[su]_[A-Za-z0-9_+/=-]{20,}", "Sentry: auth tokens"),
    (r"\bpul-[0-9a-f]{40}", "Pulumi: access tokens"),
    (r"\bsbp_[0-9a-f]{40}", "Supabase: access tokens"),
    (r"\bpscale_(?:tkn|pw|oauth)_[A-Za-z0-9_.-]{20,}", "PlanetScale: service tokens"),
    (r"\bAGE-SECRET-KEY-1[0-9A-Z]{50,}", "age: identity files"),
    (r"\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*", "RFC 7519: JSON web tokens"),
    (r"(?<=[Bb]earer )[A-Za-z0-9._~+/-]{8,}=*", "RFC 6750: bearer tokens"),
    (
        r"-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----|\Z)",
        "RFC 7468, RFC 9580: private keys in text",
    ),
)
"""Values that are secret under any key, each with its source: the issuer's documentation, or a standard."""

_TOKENS = re.compile("|".join(form for form, _ in _FORMS), re.DOTALL)
_BASIC = re.compile(r"(?<=[Bb]asic )[A-Za-z0-9+/]{4,}={0,2}")


def without_tokens(text: str, mark: str) -> str:
    """Return a text with `mark` in place of every token of a known form, and of user and password of RFC 7617."""
    return _BASIC.sub(lambda match: mark if _is_basic(match[0]) else match[0], _TOKENS.sub(mark, text))


def _is_basic(text: str) -> bool:
    try:
        return b":" in base64.b64decode(text, validate=True)
    except binascii.Error:
        return False
