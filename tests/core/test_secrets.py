"""Secrets stay out of what is recorded."""

from __future__ import annotations

import pytest

from headrace.core.secrets import REDACTED, is_secret, redact_overrides, redact_text, without_secrets


@pytest.mark.parametrize(
    "name",
    "password db.password PGPASSWORD WANDB_API_KEY api-key apiKey token github_token AWS_SECRET_ACCESS_KEY "
    "client_secret credentials private_key Authorization MYSQL_PWD passphrase "
    "auth http.auth authorization DBPW PGPW db_pw pw client_secret_value secret-id "
    "access_key_id accessKeyId AWS_ACCESS_KEY_ID LAKECTL_CREDENTIALS_ACCESS_KEY_ID lakefs.access-key-id "
    "secretAccessKey lakefsAccessKeyId authToken clientSecret myApiKey secretId".split(),
)
def test_names_of_secrets_are_known(name: str) -> None:
    """A name that ends in a word for a secret is secret, in every spelling."""
    assert is_secret(name)


@pytest.mark.parametrize(
    "name",
    "tokenizer max_tokens key keys secretary public_key_id monkey passwords_seen target "
    "token_pattern author oauth_flow authors bpw secretariat_id max_pwm "
    "key_id keyId access_keys access_key_ids primaryKeyId maxTokens tokenPattern isAuthor "
    "accessible access_key_idle tokenizerName".split(),
)
def test_other_names_are_not_secret(name: str) -> None:
    """A word for a secret inside another word does not hide a param, which would leave the stage's key."""
    assert not is_secret(name)


def test_a_tree_is_copied_without_its_secrets() -> None:
    """Secret-named values, whole branches under such names, and credentials in URLs are replaced."""
    tree = {
        "url": "postgresql://ann:pw@host/db",
        "api_key": "k",
        "credentials": {"user": "ann", "code": "c"},
        "token": None,
        "list": [{"password": "p"}, ("https://u:v@x", 3)],
    }
    assert without_secrets(tree) == {
        "url": "postgresql://<redacted>@host/db",
        "api_key": REDACTED,
        "credentials": REDACTED,
        "token": None,
        "list": [{"password": REDACTED}, ["https://<redacted>@x", 3]],
    }
    assert tree["api_key"] == "k"


def test_a_url_without_password_stays_as_it_is() -> None:
    """A host with a port, and a user without a password, are no credentials."""
    text = "see http://localhost:4200/runs and ssh://git@host/x"
    assert redact_text(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://h/x?api_key=abc&rows=3&token=t#top", f"https://h/x?api_key={REDACTED}&rows=3&token={REDACTED}#top"),
        ("https://h/x?tokenizer=bpe&max_tokens=5", "https://h/x?tokenizer=bpe&max_tokens=5"),
        ("Authorization: Bearer abc.def-123_x==", f"Authorization: Bearer {REDACTED}"),
        ("the bearer of news", "the bearer of news"),
        ("Basic features", "Basic features"),
    ],
)  # fmt: skip
def test_what_authorises_inside_a_text_is_replaced(text: str, shown: str) -> None:
    """Parameters of a URL by their names, and bearer tokens; other words stay."""
    assert redact_text(text) == shown


def test_overrides_lose_their_secrets() -> None:
    """Names with prefixes, values inside mappings and URLs: none reaches a recorded command."""
    assert redact_overrides(
        [
            "model.C=3",
            "+tracker.api_key=abc",
            "++db.password=a=b",
            "vars={api_key: abc, name: x}",
            "vars={db: {password: 'a, b', port: 1}, credentials: {user: u, code: c}}",
            "stages.ingest.params.url=sqlite://u:p@h/x",
            "~vars.token",
        ]
    ) == [
        "model.C=3",
        f"+tracker.api_key={REDACTED}",
        f"++db.password={REDACTED}",
        f"vars={{api_key: {REDACTED}, name: x}}",
        f"vars={{db: {{password: {REDACTED}, port: 1}}, credentials: {REDACTED}}}",
        "stages.ingest.params.url=sqlite://<redacted>@h/x",
        "~vars.token",
    ]
