"""The OpenAPI document as a page for people: one file, no request to anywhere else.

FastAPI's own page loads Swagger UI from a CDN, and a service may have no way to it.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from html import escape
from typing import Any

from headrace.serving.exchange import Header, Reply

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;
  margin:2rem auto;padding:0 1rem;color:#222;background:#fff}
details{border:1px solid #ccc;border-radius:6px;margin:.5rem 0;padding:.4rem .8rem}
summary{cursor:pointer} b{display:inline-block;min-width:3.5rem;color:#0a5} .post b{color:#06c}
pre,textarea{background:#f5f5f5;padding:.6rem;overflow:auto;max-height:24rem;width:100%;box-sizing:border-box}
textarea{font:14px/1.4 monospace;height:10rem} td{padding-right:1rem;vertical-align:top}
@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}pre,textarea{background:#262626;color:#ddd}}
"""
_SCRIPT = """
for (const form of document.forms) form.onsubmit = async event => {
  event.preventDefault();
  const [out, began] = [form.querySelector('pre'), performance.now()];
  const answer = await fetch(form.action, {method: 'POST', body: form.body.value,
    headers: {'content-type': 'application/json'}});
  out.textContent =
    `${answer.status} in ${(performance.now() - began).toFixed(1)} ms\\n${await answer.text()}`;
};
"""


def make_page(document: Mapping[str, Any]) -> Reply:
    """Render the document. Scripts run by a nonce alone: nothing that a model is called becomes one."""
    nonce = secrets.token_urlsafe(12)
    info = document["info"]
    operations = "".join(
        _operation(method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    )
    page = (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(info['title'])}</title>"
        f"<meta name=viewport content='width=device-width'><style nonce={nonce}>{_STYLE}</style>"
        f"<h1>{escape(info['title'])} {escape(info['version'])}</h1><p>{escape(info['description'])} "
        f"For programs: <a href=openapi.json>openapi.json</a>."
        f"{operations}<script nonce={nonce}>{_SCRIPT}</script>"
    )
    policy = f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; connect-src 'self'"
    headers: list[Header] = [(b"content-security-policy", policy.encode())]
    return Reply(page.encode(), 200, b"text/html; charset=utf-8", headers)


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> str:
    parts = [f"<details class={method}><summary><b>{method.upper()}</b> <code>{escape(path)}</code> "]
    parts.append(f"{escape(operation['summary'])}</summary><p>{escape(operation.get('description', ''))}")
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if body and "example" in body:
        example = escape(json.dumps(body["example"], indent=1, ensure_ascii=False))
        parts.append(f"<form action='{escape(path)}'><textarea name=body>{example}</textarea>")
        parts.append("<p><button>Send</button><pre></pre></form>")
    if body:
        schema = escape(json.dumps(body["schema"], indent=1, ensure_ascii=False))
        parts.append(f"<details><summary>Schema of the request</summary><pre>{schema}</pre></details>")
    rows = "".join(
        f"<tr><td>{escape(status)}<td>{escape(answer['description'])}"
        for status, answer in operation["responses"].items()
    )
    parts.append(f"<table>{rows}</table></details>")
    return "".join(parts)
