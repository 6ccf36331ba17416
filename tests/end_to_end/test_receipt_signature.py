"""Signature of a receipt: by Ed25519 and OpenSSL's own files, of this content and this key, or a fault."""

import base64
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_shell import Shell, bare
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from weekly_house import House

from gatekeeper.documents.receipt import serialized
from gatekeeper.registry.views import proof, signatures

pytestmark = pytest.mark.xdist_group("receipts")
__all__ = ["bare"]

Key = Callable[..., Path]
NO_KEY = b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
FORMS: dict[str, list[str]] = {
    "ed25519": ["genpkey", "-algorithm", "ed25519"],
    "rsa": ["genpkey", "-algorithm", "rsa", "-pkeyopt", "rsa_keygen_bits:2048"],
    "x25519": ["genpkey", "-algorithm", "x25519"],
    "ed448": ["genpkey", "-algorithm", "ed448"],
    "encrypted": ["genpkey", "-algorithm", "ed25519", "-aes256", "-pass", "pass:secret"],
}


def openssl(*words: str) -> None:
    subprocess.run([str(shutil.which("openssl")), *words], check=True, capture_output=True)


@pytest.fixture
def key(tmp_path: Path) -> Key:
    """A private key, as OpenSSL makes it."""

    def make(form: str = "ed25519", name: str = "key.pem") -> Path:
        openssl(*FORMS[form], "-out", str(tmp_path / name))
        return tmp_path / name

    return make


def public(private: Path) -> Path:
    place = private.with_suffix(".public.pem")
    openssl("pkey", "-in", str(private), "-pubout", "-out", str(place))
    return place


@pytest.fixture
def shell(bare: Shell, house: House, monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.chdir(bare.folder)
    monkeypatch.setenv("GATEKEEPER_DB", house.settings.db.reveal())
    monkeypatch.setenv("GATEKEEPER_MODELS", house.settings.models.reveal())
    return bare


@pytest.fixture
def signed(shell: Shell, key: Key, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A signed receipt, and the public key."""
    private = key()
    monkeypatch.setenv("GATEKEEPER_SIGNING_KEY", str(private))
    assert shell("receipt", "3")[0] == 0
    return shell.folder / "receipt_3.json", public(private)


def test_a_signed_receipt_is_verified_by_its_public_key(shell: Shell, signed: tuple[Path, Path]) -> None:
    """And by the library alone, over what the page of receipts says is signed."""
    receipt, key = signed
    content = json.loads(receipt.read_bytes())
    value = base64.b64decode(content["signature"]["value"])
    load_pem_public_key(key.read_bytes()).verify(value, f"gatekeeper receipt\n{content['digest']}".encode())  # type: ignore[union-attr,call-arg,arg-type]
    code, said, err = shell("verify", str(receipt), "--key", str(key))
    assert (code, err) == (0, "")
    assert "is consistent, unanchored: " in said and f"; signed by {key}." in said
    assert "holds: " in shell("verify", str(receipt), "--key", str(key), "--digest", content["digest"])[1]
    told = shell.json("verify", str(receipt))
    assert isinstance(told, dict)
    assert (told["state"], told["signed_by"]) == ("consistent, unanchored", content["signature"]["public_key"])


def test_the_digest_is_that_of_the_unsigned_receipt(
    shell: Shell, signed: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GATEKEEPER_SIGNING_KEY")
    plain = shell.json("receipt", "3", "-o", "plain.json")
    assert isinstance(plain, dict)
    assert (plain["digest"], plain["signed_by"]) == (json.loads(signed[0].read_bytes())["digest"], None)


def test_a_missing_or_foreign_signature_is_a_fault(
    shell: Shell, signed: tuple[Path, Path], key: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipt, _ = signed
    other = public(key(name="other.pem"))
    code, _, err = shell("verify", str(receipt), "--key", str(other))
    assert code == 1
    assert f"not by that of {other}" in err
    monkeypatch.delenv("GATEKEEPER_SIGNING_KEY")
    assert shell("receipt", "3", "-o", "plain.json")[0] == 0
    code, _, err = shell("verify", "plain.json", "--key", str(other))
    assert code == 1
    assert f"it isn't signed, and {other} was to have signed it" in err
    assert shell("verify", "plain.json")[0] == 0


CHANGES = (lambda t: t[:-4], lambda t: t[4:] + t[:4], lambda t: t + "\n", lambda _: "", lambda t: t.lower())


def resealed(content: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    read = json.loads(content)
    change(read)
    return serialized({**read, "digest": proof.digest(read)})


def test_another_content_is_not_signed_by_an_old_signature(shell: Shell, signed: tuple[Path, Path]) -> None:
    """Sealed anew with a digest that fits: consistent without the signature, and not with it."""
    receipt, key = signed
    content = resealed(receipt.read_bytes(), lambda r: r["model"].update(description="another"))
    assert proof.prove(content).faults == []
    code, _, err = shell("verify", shell.file("other.json", content), "--key", str(key))
    assert (code, "its signature is not that of its content" in err) == (1, True)
    assert shell("verify", str(shell.folder / "other.json"))[0] == 1  # with no key at hand, too


@pytest.mark.parametrize("name", ["public_key", "value"])
@pytest.mark.parametrize(
    "change", [lambda t: t[:-4], lambda t: t[4:] + t[:4], lambda t: t + "\n", lambda _: "", lambda t: t.lower()]
)
def test_a_changed_signature_is_a_fault_without_any_key(signed: tuple[Path, Path], name: str, change: Any) -> None:
    def made(receipt: dict[str, Any]) -> None:
        receipt["signature"][name] = change(receipt["signature"][name])

    receipt = proof.read(resealed(signed[0].read_bytes(), made))
    assert receipt is not None
    assert len(signatures.faults(receipt)) == 1


def test_one_of_format_1_is_never_signed(signed: tuple[Path, Path]) -> None:
    content = resealed(signed[0].read_bytes(), lambda r: r.update(format=1))
    assert "it is of format 1, which is never signed: it was changed" in proof.faults(content)


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ("rsa", "is one of RSA, not one of Ed25519; `openssl genpkey -algorithm ed25519"),
        ("x25519", "is one of X25519, not one of Ed25519"),
        ("ed448", "is one of Ed448, not one of Ed25519"),
        ("encrypted", "is encrypted, and nobody is there to type its password"),
    ],
)
def test_another_kind_of_private_key_is_refused(
    shell: Shell, key: Key, monkeypatch: pytest.MonkeyPatch, form: str, said: str
) -> None:
    place = key(form)
    monkeypatch.setenv("GATEKEEPER_SIGNING_KEY", str(place))
    code, out, err = shell("receipt", "3")
    assert (code, out) == (1, "")
    assert said in err and str(place) in err and "Traceback" not in err
    assert not list(shell.folder.glob("receipt_*"))
    if form != "encrypted":
        monkeypatch.delenv("GATEKEEPER_SIGNING_KEY")
        assert shell("receipt", "3")[0] == 0
        assert "not one of Ed25519" in shell("verify", "receipt_3.json", "--key", str(public(place)))[2]


def test_files_that_are_no_key_are_refused(
    shell: Shell, signed: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    receipt, key = signed
    private = key.with_name("key.pem")
    for place, said in (
        (shell.file("no.pem", b"\0\1"), "holds no public key in PEM"),
        (shell.file("empty.pem", b""), "holds no public key in PEM"),
        (str(private), "holds a private key, which is nobody else's business"),
        (str(shell.folder / "nowhere.pem"), "can't be read: No such file or directory"),
        (str(shell.folder), "can't be read: Is a directory"),
    ):
        code, out, err = shell("verify", str(receipt), "--key", place)
        assert (code, out) == (1, "")
        assert said in err, err
    for place, said in (
        (
            shell.file("no.pem", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
            "holds no private key",
        ),
        (str(key), "holds a public key"),
        (str(shell.folder / "nowhere.pem"), "can't be read: No such file or directory"),
    ):
        monkeypatch.setenv("GATEKEEPER_SIGNING_KEY", place)
        code, out, err = shell("receipt", "3", "-o", "again.json")
        assert (code, out) == (1, "")
        assert said in err, err
    assert not (shell.folder / "again.json").exists()


def test_without_the_library_it_says_what_is_missing(
    shell: Shell, signed: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signatures, "available", lambda: False)
    code, said, _ = shell("verify", str(signed[0]))
    assert (code, "(not checked: that needs the extra `sign`)" in said) == (0, True)
    for words in (("receipt", "3"), ("verify", str(signed[0]), "--key", str(signed[1]))):
        code, _, err = shell(*words)
        assert (code, "pip install 'gatekeeper[sign]'" in err) == (1, True)
