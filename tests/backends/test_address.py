"""Addresses as people type them, and secrets that no message shows."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from lcrag.backends.address import parse_address, same_server, tls
from lcrag.errors import InputError


@pytest.mark.parametrize(
    ("url", "root", "apis"),
    [
        ("http://h:8000", "http://h:8000", ("http://h:8000/v1", "http://h:8000")),
        ("http://h:8000/", "http://h:8000", ("http://h:8000/v1", "http://h:8000")),
        ("http://h:8000/v1", "http://h:8000", ("http://h:8000/v1",)),
        (" HTTP://h:8000/v1// ", "http://h:8000", ("http://h:8000/v1",)),
        ("http://h/v1/chat/completions", "http://h", ("http://h/v1",)),
        ("https://h/api/paas/v4", "https://h/api/paas", ("https://h/api/paas/v4",)),
        ("https://h/v1beta/openai/", "https://h/v1beta/openai", ("https://h/v1beta/openai",)),
        ("https://h/openai", "https://h/openai", ("https://h/openai/v1", "https://h/openai")),
        ("localhost:8000", "http://localhost:8000", ("http://localhost:8000/v1", "http://localhost:8000")),
        ("127.0.0.1:8000/v1", "http://127.0.0.1:8000", ("http://127.0.0.1:8000/v1",)),
        ("[::1]:8000/v1", "http://[::1]:8000", ("http://[::1]:8000/v1",)),
        ("192.168.1.7:1234/v1", "http://192.168.1.7:1234", ("http://192.168.1.7:1234/v1",)),
        ("gpu-box:1234/v1", "http://gpu-box:1234", ("http://gpu-box:1234/v1",)),
        ("studio.local/v1", "http://studio.local", ("http://studio.local/v1",)),
        ("api.example.com/v1", "https://api.example.com", ("https://api.example.com/v1",)),
        ("8.8.8.8/v1", "https://8.8.8.8", ("https://8.8.8.8/v1",)),
    ],
)
def test_parse_address_takes_every_form(url: str, root: str, apis: tuple[str, ...]) -> None:
    address = parse_address(url)
    assert (address.root, address.apis) == (root, apis)


@pytest.mark.parametrize(
    "url", ["", "http://", "ftp://h", "http://h:port", "http://h/?a=b", "http://a b", "http://[::1"]
)
def test_parse_address_refuses_what_is_no_address(url: str) -> None:
    with pytest.raises(InputError, match="makes no sense"):
        parse_address(url)


def test_parse_address_does_not_show_a_password_that_it_refuses() -> None:
    with pytest.raises(InputError) as refused:
        parse_address("http://ann:s3cret@h:port")
    assert "s3cret" not in f"{refused.value}{refused.value.hint}"


def test_key_is_stripped_and_sent_only_where_the_user_named_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCRAG_API_KEY", " sk-test\r\n")
    assert parse_address("http://h").headers == {"Authorization": "Bearer sk-test"}
    assert parse_address("http://h", send_key=False).headers == {}
    monkeypatch.setenv("LCRAG_API_KEY", " \n")
    assert parse_address("http://h").headers == {}


@pytest.mark.parametrize("key", ["sk-te\nst", "sk-te\x1bst", "sk-tést", "sk-te\u200bst"])
def test_key_that_cannot_be_sent_is_refused_without_being_shown(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCRAG_API_KEY", key)
    with pytest.raises(InputError, match="LCRAG_API_KEY") as refused:
        parse_address("http://h")
    assert "sk-te" not in f"{refused.value}{refused.value.hint}"


def test_masked_hides_key_and_login_and_what_a_terminal_obeys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCRAG_API_KEY", "sk-secret")
    address = parse_address("http://ann:p%40ssword@h")
    assert address.root == "http://h"
    assert address.masked(f"a\x1b[31m sk-secret, p@ssword, {address.headers['Authorization']}") == (
        "a [31m ***, ***, Basic ***"
    )


@pytest.mark.parametrize(
    ("there", "same"),
    [
        ("http://h/other", True),
        ("https://h/", True),
        ("http://h:81/", False),
        ("http://other/", False),
        ("https://h:8443/", False),
    ],
)
def test_same_server_is_same_host_and_port_or_its_https(there: str, same: bool) -> None:
    assert same_server(httpx.URL("http://h/v1/models"), httpx.URL(there)) is same
    assert not same_server(httpx.URL("https://h/"), httpx.URL("http://h/"))


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "--ca-file"])
def test_tls_refuses_a_file_without_certificates(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    if name == "SSL_CERT_FILE":
        monkeypatch.setenv(name, str(tmp_path / "ca.pem"))
    with pytest.raises(InputError, match="holds no certificates") as refused:
        tls(tmp_path / "ca.pem" if name == "--ca-file" else None)
    assert name in refused.value.hint
