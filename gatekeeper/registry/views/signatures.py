"""Signatures of receipts (Ed25519): who wrote it, for everybody who has the public key."""

import base64
import binascii
import json
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import structs

from gatekeeper.documents import receipt as receipts
from gatekeeper.documents.receipt import Receipt, ReceiptSignature
from gatekeeper.errors import ConfigError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SETTING = "GATEKEEPER_SIGNING_KEY"
LARGEST_KEY = 64 * 1024
MAKE = "`openssl genpkey -algorithm ed25519 -out KEY.pem` makes one"
HALVE = "`openssl pkey -in KEY.pem -pubout -out PUBLIC.pem` writes it"


def signed(content: bytes, key: Path) -> bytes:
    """The receipt with the signature of this private key, a PEM file (PKCS #8, not encrypted). Raises ConfigError."""
    private = _private(key)
    receipt = json.loads(content)
    value = private.sign(_message(str(receipt["digest"])))
    made = ReceiptSignature(_text(private.public_key().public_bytes_raw()), _text(value))
    return receipts.serialized({**receipt, "signature": structs.asdict(made)})


def faults(receipt: Receipt, key: Path | None = None) -> list[str]:
    """What is wrong with the receipt's signature, in sentences.

    key: PEM file of the public key that it must be of; without one, an unsigned receipt has no fault, and a signature
    must be that of the key it names, where that can be checked (`available`). Raises ConfigError for a file that holds
    no such key, or without the extra `sign`.
    """
    wanted = None if key is None else _public(key)
    signature = receipt.signature
    if signature is None:
        return [] if key is None else [f"it isn't signed, and {key} was to have signed it"]
    named, value = _bytes(signature.public_key, 32), _bytes(signature.value, 64)
    if named is None or value is None:
        return ["its signature is not one of Ed25519: it was changed"]
    if wanted is not None and wanted.public_bytes_raw() != named:
        return [f"it is signed by the key {signature.public_key}, not by that of {key}"]
    if wanted is None and not available():
        return []
    return [] if _is_of(named, value, receipt.digest) else ["its signature is not that of its content: it was changed"]


def available() -> bool:
    """Whether signatures can be checked here."""
    return find_spec("cryptography") is not None


def _is_of(public: bytes, value: bytes, digest: str) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public).verify(value, _message(digest))
    except (InvalidSignature, ValueError):
        return False
    return True


def _message(digest: str) -> bytes:
    return b"gatekeeper receipt\n" + digest.encode("ascii", "replace")


def _private(place: Path) -> "Ed25519PrivateKey":
    _needed()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    content = _content(place, SETTING)
    try:
        key = load_pem_private_key(content, password=None)
    except TypeError:
        raise ConfigError(
            f"The key of {SETTING}={place} is encrypted, and nobody is there to type its password. Decrypt it with "
            f"`openssl pkey -in {place} -out KEY.pem`, and let only this account read the file."
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        what = "a public key" if b"PUBLIC KEY" in content else "no private key in PEM (PKCS #8)"
        raise ConfigError(f"The file of {SETTING}={place} holds {what}; {MAKE}.") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"The key of {SETTING}={place} is {_kind(key)}, not one of Ed25519; {MAKE}.")
    return key


def _public(place: Path) -> "Ed25519PublicKey":
    _needed()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    content = _content(place, "--key")
    try:
        key = load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm):
        private = b"PRIVATE KEY" in content
        what = "a private key, which is nobody else's business" if private else "no public key in PEM"
        raise ConfigError(f"The file of --key {place} holds {what}. Give the public key: {HALVE}.") from None
    if not isinstance(key, Ed25519PublicKey):
        raise ConfigError(f"The key of --key {place} is {_kind(key)}, not one of Ed25519; {HALVE}.")
    return key


def _content(place: Path, named: str) -> bytes:
    try:
        with place.open("rb") as file:
            return file.read(LARGEST_KEY)
    except OSError as fault:
        raise ConfigError(f"The key {named} {place} can't be read: {fault.strerror}. Name a PEM file.") from None


def _needed() -> None:
    if not available():
        raise ConfigError("Signatures need the extra `sign`: pip install 'gatekeeper[sign]'.")


def _kind(key: object) -> str:
    name = type(key).__name__.lstrip("_").removesuffix("PrivateKey").removesuffix("PublicKey")
    return f"one of {name}"


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _bytes(text: str, length: int) -> bytes | None:
    """The bytes of a base64 text that is written as `_text` writes it; None for any other."""
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return found if len(found) == length and _text(found) == text else None
