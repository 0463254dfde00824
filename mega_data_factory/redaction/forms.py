"""Forms of tokens that their issuers have published: secret in any place."""

from __future__ import annotations

import base64
import binascii
import functools
import re

FORMS: tuple[tuple[str, str], ...] = (
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
    (r"\bnvapi-[A-Za-z0-9_-]{20,}", "NVIDIA: NGC and NIM API keys"),
    (r"\bpcsk_[A-Za-z0-9_]{20,}", "Pinecone: API keys"),
    (r"\blsv2_(?:pt|sk)_[A-Za-z0-9_]{20,}", "LangSmith: API keys"),
    (r"\bfw_[A-Za-z0-9]{20,}", "Fireworks: API keys"),
    (r"\btgp_v1_[A-Za-z0-9_-]{20,}", "Together: API keys"),
    (r"\bcsk-[A-Za-z0-9]{32,}", "Cerebras: API keys"),
    (r"\bjina_[A-Za-z0-9]{32,}", "Jina: API keys"),
    (r"\bwandb_v1_[A-Za-z0-9_]{20,}", "Weights & Biases: API keys"),
    (r"\bKGAT_[0-9a-f]{32}", "Kaggle: API tokens"),
    (r"\bABSK[A-Za-z0-9+/]{100,}={0,2}", "Amazon Bedrock: API keys"),
    (r"\btvly-[A-Za-z0-9-]{20,}", "Tavily: API keys"),
    (r"\b(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{16,}", "Stripe: API keys"),
    (r"\bwhsec_[A-Za-z0-9+/=]{24,}", "Stripe, Svix: webhook secrets"),
    (r"\bnpm_[A-Za-z0-9]{36,}", "npm: access tokens"),
    (r"\bpypi-[A-Za-z0-9_-]{16,}", "PyPI: API tokens"),
    (r"\brubygems_[0-9a-f]{48}", "RubyGems: API keys"),
    (r"\bdckr_[po]at_[A-Za-z0-9_-]{20,}", "Docker: access tokens"),
    (r"\bdapi[0-9a-f]{32}(?:-\d+)?\b", "Databricks: personal access tokens"),
    (r"\bdose[0-9a-f]{32}\b", "Databricks: OAuth secrets"),
    (r"(?<![\w~.-])[A-Za-z0-9_~.-]{3}[78]Q~[A-Za-z0-9_~.-]{31,34}", "Microsoft Entra: client secrets"),
    (r"\bLTAI[A-Za-z0-9]{12,26}\b", "Alibaba Cloud: AccessKey IDs"),
    (r"\bAKID[A-Za-z0-9]{32}\b", "Tencent Cloud: SecretIds"),
    (r"\bAIza[A-Za-z0-9_-]{35}", "Google: API keys"),
    (r"\bGOCSPX-[A-Za-z0-9_-]{20,}", "Google: OAuth client secrets"),
    (r"\bya29\.[A-Za-z0-9_-]{20,}", "Google: OAuth access tokens"),
    (r"\b1//0[A-Za-z0-9_-]{20,}", "Google: OAuth refresh tokens"),
    (r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}|\bxapp-\d-[A-Za-z0-9-]{10,}", "Slack: token types"),
    (r"(?<=hooks\.slack\.com/)(?:services|workflows|triggers)/[^\s\"']+", "Slack: incoming webhooks"),
    (r"(?<=/api/webhooks/)\d+/[^\s\"']+", "Discord: webhook resource"),
    (r"(?<=hooks\.zapier\.com/hooks/)[^\s\"']+", "Zapier: webhooks"),
    (r"(?<=\.webhook\.office\.com/)[^\s\"']+", "Microsoft Teams: incoming webhooks"),
    (r"\bhv[sbr]\.[A-Za-z0-9_-]{20,}|\bs\.[A-Za-z0-9]{24}\b", "HashiCorp Vault: tokens"),
    (r"\b[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_-]{60,}", "HCP Terraform: API tokens"),
    (r"\b[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,}", "Discord: bot tokens"),
    (r"\bSG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{16,64}", "SendGrid: API keys"),
    (r"\bSK[0-9a-f]{32}\b", "Twilio: API keys"),
    (r"\bkey-[0-9a-f]{32}\b", "Mailgun: API keys"),
    (r"\b\d{8,10}:AA[A-Za-z0-9_-]{33}", "Telegram: bot tokens"),
    (r"\bdo[opr]_v1_[0-9a-f]{64}", "DigitalOcean: personal access tokens"),
    (r"\bshp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}", "Shopify: access tokens"),
    (r"\bATATT3[A-Za-z0-9_=-]{50,}", "Atlassian: API tokens"),
    (r"\blin_api_[A-Za-z0-9]{40}", "Linear: API keys"),
    (r"\bntn_[A-Za-z0-9]{40,}", "Notion: integration secrets"),
    (r"\bNR(?:AK|II|IQ|JS|AA)-[A-Za-z0-9_-]{20,}", "New Relic: API keys"),
    (r"\bgl(?:c|sa)_[A-Za-z0-9_+/=]{20,}", "Grafana: cloud and service account tokens"),
    (r"\bsntry[su]_[A-Za-z0-9_+/=-]{20,}", "Sentry: auth tokens"),
    (r"\bpul-[0-9a-f]{40}", "Pulumi: access tokens"),
    (r"\bsbp_[0-9a-f]{40}", "Supabase: access tokens"),
    (r"\bpscale_(?:tkn|pw|oauth)_[A-Za-z0-9_.-]{20,}", "PlanetScale: service tokens"),
    (r"\bcio[A-Za-z0-9]{32}\b", "crates.io: API tokens"),
    (r"\boy2[a-z0-9]{43}\b", "NuGet: API keys"),
    (r"\bAKCp[A-Za-z0-9]{60,}", "JFrog: API keys"),
    (r"\bsq[upa]_[0-9a-f]{40}", "SonarQube: tokens"),
    (r"\bfig[dou]_[A-Za-z0-9_-]{32,}", "Figma: access tokens"),
    (r"\bpat[A-Za-z0-9]{14}\.[0-9a-f]{64}", "Airtable: personal access tokens"),
    (r"\bPMAK-[0-9a-f]{24}-[0-9a-f]{34}", "Postman: API keys"),
    (r"\bphx_[A-Za-z0-9]{32,}", "PostHog: personal API keys"),
    (r"\bdp\.(?:pt|st|ct|sa|scim|audit)\.[A-Za-z0-9._-]{20,}", "Doppler: tokens"),
    (r"\bops_eyJ[A-Za-z0-9_-]{50,}={0,2}", "1Password: service account tokens"),
    (r"\bHRKU-[A-Za-z0-9_-]{36,}", "Heroku: API keys"),
    (r"\bnfp_[A-Za-z0-9]{36,}", "Netlify: personal access tokens"),
    (r"\bbku[ac]_[A-Za-z0-9]{36,}", "Buildkite: tokens"),
    (r"\bCCIPAT_[A-Za-z0-9_]{30,}", "CircleCI: personal API tokens"),
    (r"\bpnu_[A-Za-z0-9]{36}", "Prefect: API keys"),
    (r"\bdbt[cus]_[A-Za-z0-9_-]{30,}", "dbt Cloud: tokens"),
    (r"\bsq0(?:atp|csp)-[A-Za-z0-9_-]{22,}", "Square: access tokens and secrets"),
    (r"\b[0-9a-f]{32}-us\d{1,2}\b", "Mailchimp: API keys"),
    (r"\bAGE-SECRET-KEY-1[0-9A-Z]{50,}", "age: identity files"),
    (r"\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*", "RFC 7519: JSON web tokens"),
    (r"(?<=[Bb]earer )[A-Za-z0-9._~+/-]{8,}=*", "RFC 6750: bearer tokens"),
    (
        r"-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----|\Z)",
        "RFC 7468, RFC 9580: private keys in text",
    ),
    (r"---- BEGIN SSH2 [A-Z ]*PRIVATE KEY ----.*?(?:---- END SSH2 [A-Z ]*PRIVATE KEY ----|\Z)", "RFC 4716 (SSH2)"),
    (r"PuTTY-User-Key-File-\d:.*?(?:Private-MAC: [0-9a-f]+|\Z)", "PuTTY: storage of private keys"),
)
"""Values that are secret under any key, each with its source: the issuer's documentation, or a standard."""

_BASIC = re.compile(r"(?<=[Bb]asic )[A-Za-z0-9+/]{4,}={0,2}")


def without_tokens(text: str, mark: str) -> str:
    """Return a text with `mark` in place of every token of a known form, and of user and password of RFC 7617."""
    return _BASIC.sub(lambda match: mark if _is_basic(match[0]) else match[0], _tokens().sub(mark, text))


@functools.cache
def _tokens() -> re.Pattern[str]:
    """Return all forms as one pattern, which takes longer to compile than a worker takes to import the rest of this."""
    return re.compile("|".join(form for form, _ in FORMS), re.DOTALL)


def _is_basic(text: str) -> bool:
    try:
        return b":" in base64.b64decode(text, validate=True)
    except binascii.Error:
        return False
