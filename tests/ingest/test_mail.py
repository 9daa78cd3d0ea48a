"""All that was written in a mail or mailbox is read, whatever its parts are."""

from __future__ import annotations

import time
from email.message import EmailMessage
from pathlib import Path

import pytest

from lcrag.errors import UnreadableFile
from lcrag.ingest import discover, mail, read
from lcrag.text.places import line_of, part_of

HEAD = b"From: a@x.org\nSubject: Visit\nMIME-Version: 1.0\n"


def parts(kind: str, *bodies: str) -> bytes:
    """A mail of several parts. Each body begins with its headers."""
    joined = "".join(f"--B\n{body}\n" for body in bodies)
    return HEAD + f"Content-Type: multipart/{kind}; boundary=B\n\n{joined}--B--\n".encode()


def text(data: bytes) -> str:
    return mail.extract(data).text


PLAIN, HTML = "Content-Type: text/plain; charset=utf-8\n\n", "Content-Type: text/html\n\n"


def test_extract_reads_every_text_part_in_order() -> None:
    image = 'Content-Type: image/png\nContent-Disposition: inline; filename="p.png"\n\nx'
    read_ = text(parts("mixed", f"{PLAIN}one", image, f"{HTML}<p>two</p>", f"{PLAIN}three"))
    assert read_ == "From: a@x.org\nSubject: Visit\n\none\n\ntwo\n\nthree\n\nAttached: p.png\n"


def test_extract_reads_one_of_two_alternatives() -> None:
    assert text(parts("alternative", f"{PLAIN}the same words", f"{HTML}<p>the same words</p>")).count("same") == 1
    stub = text(parts("alternative", f"{PLAIN}Please view as HTML", f"{HTML}<p>{'The boat leaves at nine. ' * 3}</p>"))
    assert "Please view" not in stub
    assert "leaves" in stub
    assert "only" in text(parts("alternative", f"{PLAIN}", f"{HTML}<p>only</p>"))


def test_extract_reads_forwarded_messages_and_attached_texts() -> None:
    forwarded = "Content-Type: message/rfc822\n\nFrom: c@x.org\nSubject: Deadline\n\nThe tender closes."
    attached = 'Content-Type: {}\nContent-Disposition: attachment; filename="{}"\n\nvoted'
    read_ = text(
        parts("mixed", f"{PLAIN}See below.", forwarded, attached.format("application/octet-stream", "a.log"),
              attached.format("text/csv", "b.csv"), attached.format("application/pdf", "c.pdf"))
    )  # fmt: skip
    assert read_.split("\n\n")[1:] == [
        "See below.", "From: c@x.org\nSubject: Deadline", "The tender closes.", "Attached: a.log\nvoted",
        "Attached: b.csv\nvoted", "Attached: c.pdf\n",
    ]  # fmt: skip


def test_extract_names_what_is_attached_and_not_read() -> None:
    image, unnamed = 'Content-Type: image/png; name="p.png"\n\nx', "Content-Type: application/pdf\n\nx"
    inner = f"Content-Type: message/rfc822\n\n{parts('mixed', f'{PLAIN}x', image).decode()}".replace(
        "=B", "=C"
    ).replace("--B", "--C")
    mails = parts("mixed", f"{PLAIN}See below.", inner, unnamed)
    assert mail.extract(mails).unread == "attached and not read: p.png, application/pdf"
    assert mail.extract_mailbox(b"From a\n" + mails).unread == "attached and not read: p.png, application/pdf"
    assert mail.extract(parts("mixed", f"{PLAIN}x")).unread == ""
    assert "words" in text(HEAD + b"Content-Type: multipart/mixed\n\nwords")


@pytest.mark.parametrize("charset", ["undefined", "unknown-8bit", "base64", "x\0y", "", "utf-16", "cp1252"])
def test_extract_survives_a_wrong_charset(charset: str) -> None:
    body = HEAD + f'Content-Type: text/plain; charset="{charset}"\n\n'.encode()
    assert "Viele Grüße" in text(body + "Viele Grüße aus dem Hafen".encode("cp1252"))


@pytest.mark.parametrize("charset", ["iso-2022-jp", "utf-7", "koi8-r", "shift_jis"])
def test_extract_decodes_by_the_charset(charset: str) -> None:
    words = "лодка" if charset == "koi8-r" else "東京の船"
    assert words in text(HEAD + f"Content-Type: text/plain; charset={charset}\n\n".encode() + words.encode(charset))


@pytest.mark.parametrize(
    ("raw", "subject"),
    [(b"=?utf-8?q?Gr=C3=BC=C3=9Fe?= to you", "Grüße to you"), (b"=?nothing?b?R3I=?=", "Gr"),
     ("Grüße".encode(), "Grüße"), (b"=?utf-8?b?R?=", "=?utf-8?b?R?="), (b"=?undefined?q?a?= =?undefined?q?b?=", "ab"),
     (b"plain\n folded", "plain folded")],
)  # fmt: skip
def test_extract_decodes_headers(raw: bytes, subject: str) -> None:
    extracted = mail.extract(b"Subject: " + raw + b"\n\nx")
    assert extracted.title == subject
    assert extracted.text == f"Subject: {subject}\n\nx\n"


def test_extract_is_quick_with_many_encoded_words_and_a_large_attachment() -> None:
    words = EmailMessage()
    words.set_content("x")
    start = time.process_time()
    mail.extract(b"Subject: " + b" =?utf-8?q?a=C3=BC?=\n" * 20_000 + b"\nx")
    body = b"Content-Transfer-Encoding: base64\n\n" + b"bGluZSBvZiB0ZXh0IHRoYXQgaXMgbm90IGluIHRoZSBmaWxlCg==\n" * 5_000
    pdf = b'Content-Type: application/pdf; name="a.pdf"\n\n' + b"QUJD" * 19 + (b"\n" + b"QUJD" * 19) * 100_000
    mail.extract(HEAD + b"Content-Type: multipart/mixed; boundary=B\n\n--B\n" + body + b"--B\n" + pdf + b"\n--B--\n")
    assert time.process_time() - start < 10


MBOX = (
    b"From a@x Mon Jan  1 00:00:00 2024\nFrom: a@x\nSubject: =?utf-8?q?M=C3=A4rz?=\n"
    b"Content-Transfer-Encoding: base64\n\nRGllIEthdXRpb24gYmV0csOkZ3QgODQ1Lg==\n\n"
    b"From b@x Mon Jan  2 00:00:00 2024\nFrom: b@x\nSubject: Boat\nContent-Transfer-Encoding: quoted-printable\n\n"
    b"The boat is caulked by J=C3=B6rg Bl=\nom.\n\n>From now on it floats.\n\nFrom here it sails.\n"
)


@pytest.mark.parametrize("name", ["a.mbox", "inbox"])
def test_read_mailbox(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(MBOX)
    [file] = discover([tmp_path]).files
    parsed = read(file)
    for words, subject, line in (
        ("Kaution", "März", None), ("caulked by Jörg Blom", "Boat", None), ("From now", "Boat", 16),
        ("From here", "Boat", 18),
    ):  # fmt: skip
        at = parsed.text.index(words)
        assert part_of(parsed, at) == f"message {subject}"
        assert line is None or line_of(parsed, at) == line


def test_read_mail_saved_with_its_separator(tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_bytes(b"From a@x Mon Jan  1 00:00:00 2024\nSubject: Boat\n\nIt sails.\n")
    [file] = discover([tmp_path]).files
    assert read(file).text == "Subject: Boat\n\nIt sails.\n"


def test_read_names_the_parser_that_panics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class PanicException(BaseException):
        pass

    def panic(data: bytes) -> None:
        raise PanicException("index out of bounds")

    (tmp_path / "a.eml").write_bytes(HEAD)
    [file] = discover([tmp_path]).files
    monkeypatch.setattr(mail, "extract", panic)
    with pytest.raises(UnreadableFile, match="PanicException: index out of bounds"):
        read(file)
    monkeypatch.setattr(mail, "extract", lambda data: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        read(file)
