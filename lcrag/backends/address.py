"""The address of a server in the forms that people type, and the key for it, which no message shows."""

from __future__ import annotations

import base64
import ipaddress
import os
import re
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from lcrag.errors import InputError

if TYPE_CHECKING:
    import httpx

KEY: Final = "LCRAG_API_KEY"
MIN_SECRET: Final = 4
"""Characters from which on a secret is masked: a shorter one is a placeholder, and part of many words."""

_ROUTE = re.compile(r"/(?:chat/completions|completions|models)$")
_VERSION = re.compile(r"/v\d+\w*$")
_LOCAL_NAME = re.compile(r"[^.:]+|.*\.(?:local|lan|home|internal|intranet|localdomain|home\.arpa)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Address:
    """``root``: where the server's own pages are (/metrics, /tokenize), also the name of the server in messages;
    ``apis``: what may come before "/chat/completions", the likeliest first. ``key`` and ``login`` (user, password) are
    "" and None where none is sent.
    """

    root: str
    apis: tuple[str, ...]
    key: str = ""
    login: tuple[str, str] | None = None

    @property
    def headers(self) -> dict[str, str]:
        if self.login is not None:
            return {"Authorization": f"Basic {self._basic}"}
        return {"Authorization": f"Bearer {self.key}"} if self.key else {}

    @property
    def _basic(self) -> str:
        return base64.b64encode(":".join(self.login or ()).encode()).decode()

    def masked(self, text: str) -> str:
        """``text`` without the key, the password, and characters that a terminal would obey."""
        secrets = [self.key]
        if self.login is not None:
            user, password = self.login
            secrets += [self._basic, password or user]
        for secret in secrets:
            if len(secret) >= MIN_SECRET:
                text = text.replace(secret, "***")
        return "".join(character if character.isprintable() else " " for character in text)


def split_addresses(text: str) -> list[str]:
    """The addresses in a list with commas between. Raises InputError when there is none."""
    addresses = [part.strip() for part in text.split(",") if part.strip()]
    if not addresses:
        raise InputError("there is no address of a server", hint="--base-url http://HOST:PORT/v1")
    return addresses


def parse_address(url: str, *, send_key: bool = True) -> Address:
    """The parts of a base URL: with or without a scheme, a slash at its end, "/v1", another prefix, or a whole route.

    Without a scheme, this machine and private networks are asked by http, others by https. A path without a version
    ("/openai") may or may not take "/v1" behind it. Raises InputError for what is no address, and for a key that
    cannot be sent, without showing either secret.
    """
    text = url.strip()
    if "://" not in text:
        text = f"//{text.lstrip('/')}"
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
        if not host or parts.scheme not in ("", "http", "https") or parts.query or re.search(r"\s|%", host):
            raise ValueError
        host.encode("idna" if not host.isascii() else "ascii")
    except ValueError as error:
        shown = "" if "@" in url else f" {url!r}"
        raise InputError(
            f"the server's address{shown} makes no sense", hint="--base-url http://HOST:PORT/v1"
        ) from error
    scheme = parts.scheme or ("http" if _is_near(host) else "https")
    server = f"{scheme}://{f'[{host}]' if ':' in host else host}" + (f":{port}" if port is not None else "")
    path = _ROUTE.sub("", re.sub("/{2,}", "/", parts.path).rstrip("/"))
    version = _VERSION.search(path)
    root = server + (path[: version.start()] if version else path)
    if re.search(r"/v\d+\w*(?:/|$)", path):
        apis: tuple[str, ...] = (server + path,)
    else:
        apis = (f"{root}/v1", root)
    login = None
    if parts.username is not None:
        login = (unquote(parts.username), unquote(parts.password or ""))
    return Address(root, apis, _key() if send_key else "", login)


def tls(ca_file: Path | None = None) -> ssl.SSLContext:
    """What a server's certificate is checked with: ``ca_file``, SSL_CERT_FILE or SSL_CERT_DIR instead of the usual.

    Raises InputError for a file that holds no certificates.
    """
    import httpx

    file = str(ca_file) if ca_file is not None else os.environ.get("SSL_CERT_FILE") or None
    folder = None if ca_file is not None else os.environ.get("SSL_CERT_DIR") or None
    if file is None and folder is None:
        return httpx.create_ssl_context(trust_env=False)
    try:
        return ssl.create_default_context(cafile=file, capath=folder)
    except OSError as error:
        name = "--ca-file" if ca_file is not None else "SSL_CERT_FILE"
        raise InputError(f"{file or folder} holds no certificates: {error}", hint=f"{name} …, in PEM format") from error


def same_server(here: httpx.URL, there: httpx.URL) -> bool:
    """Whether a redirect leads to the server that the user named: same host and port, or its https instead of http."""
    if (here.scheme, here.host, here.port) == (there.scheme, there.host, there.port):
        return True
    return here.host == there.host and (here.scheme, here.port, there.scheme, there.port) == (
        "http",
        None,
        "https",
        None,
    )


def _key() -> str:
    key = os.environ.get(KEY, "").strip()
    if not key.isascii() or not key.isprintable():
        raise InputError(
            f"{KEY} holds a character that no key has: a line end, a control character, or a letter that is not ASCII",
            hint=f"export {KEY}=…",
        )
    return key


def _is_near(host: str) -> bool:
    """Whether a host is this machine or in a private network, where servers seldom have certificates."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return _LOCAL_NAME.fullmatch(host) is not None
    return address.is_private or address.is_loopback or address.is_link_local
