"""Commands `receipt` and `verify`: writes and checks receipts of a model's evidence and history."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gatekeeper.cli.show import LocalPath, as_json, echo, json_option, opened
from gatekeeper.errors import DataError

if TYPE_CHECKING:
    from gatekeeper.documents.receipt import Receipt
    from gatekeeper.registry.views.proof import ReceiptProof


@click.command()
@click.argument("model_id", type=int, metavar="ID")
@click.option(
    "--evaluation", type=int, metavar="N", help="Evaluation; default the one that promoted it, else the newest."
)
@click.option(
    "-o", "--output", type=LocalPath(dir_okay=False, path_type=Path), help="Output file; default receipt_ID.json."
)
@json_option
def receipt(model_id: int, evaluation: int | None, output: Path | None, as_json_: bool) -> None:
    """Write a receipt of a model.

    It holds the model's hash, its evidence with every number of the verdict, and the promotion history. `gatekeeper
    verify` checks it offline. Keep its digest where nobody can change it. With GATEKEEPER_SIGNING_KEY it is signed.
    """
    from gatekeeper import config
    from gatekeeper.files import write_whole
    from gatekeeper.registry.views import proof, signatures

    key = config.load().signing_key
    with opened() as registry:
        content = registry.receipt(model_id, evaluation)
    if key:
        content = signatures.signed(content, Path(key))
    place = output or Path(f"receipt_{model_id}.json")
    write_whole(place, content)
    receipt = proof.read(content)
    digest, signature = receipt and receipt.digest, receipt and receipt.signature
    if as_json_:
        as_json({"file": str(place), "digest": digest, "signed_by": signature and signature.public_key})
    else:
        by = f", signed by the key {signature.public_key}" if signature else ""
        echo(f"Wrote {place}, digest {digest}{by}")


@click.command()
@click.argument("file", type=LocalPath(exists=True, dir_okay=False, path_type=Path), metavar="FILE")
@click.option("--digest", help="Digest at the time of writing: proves that the file was not rewritten.")
@click.option(
    "--model", type=LocalPath(exists=True, dir_okay=False, path_type=Path), help="ONNX file to compare its hash with."
)
@click.option(
    "--key",
    type=LocalPath(path_type=Path),
    help="Public key (PEM, Ed25519) that must have signed it.",
)
@json_option
def verify(file: Path, digest: str | None, model: Path | None, key: Path | None, as_json_: bool) -> int:
    """Verify a receipt offline.

    Recomputes the verdict, every figure that follows from others, and the history's hash chain. Says that the receipt
    holds if its digest is the one given; without one, that it is consistent: somebody who knows how receipts are made
    can write another that is consistent too. Exits with 1 if anything was changed, or is not signed as it should be.
    """
    from gatekeeper.registry.views import proof, signatures

    if file.stat().st_size > proof.LARGEST:
        raise DataError(f"{file} has {file.stat().st_size:,} bytes. A receipt has at most {proof.LARGEST:,}.")
    found = proof.prove(file.read_bytes(), digest)
    receipt = found.receipt
    if receipt is not None:
        found.faults.extend(signatures.faults(receipt, key))
    if receipt is not None and model is not None:
        found.faults.extend(_other_bytes(model, receipt))
    if as_json_:
        signed_by = receipt and receipt.signature and receipt.signature.public_key
        told = {"file": str(file), "digest": receipt and receipt.digest, "state": found.state}
        as_json({**told, "signed_by": signed_by, "faults": found.faults})
    elif receipt is None or found.faults:
        echo(*(f"FAULT: {each}" for each in found.faults), err=True)
    else:
        echo(f"{file} {_in_words(found, receipt, key)}")
    return 1 if found.faults else 0


def _other_bytes(model: Path, receipt: "Receipt") -> list[str]:
    content = model.read_bytes()
    sha256, said = hashlib.sha256(content).hexdigest(), receipt.model
    if sha256 != said.sha256:
        return [f"{model} has sha256 {sha256}; the receipt's model has {said.sha256}"]
    return (
        [] if said.size in (None, len(content)) else [f"{model} has {len(content)} bytes; the receipt says {said.size}"]
    )


def _in_words(found: "ReceiptProof", receipt: "Receipt", key: Path | None) -> str:
    from gatekeeper.registry.views import signatures

    judged = receipt.evaluation
    evidence = "no evaluation"
    if judged is not None:
        evidence = f"evaluation {judged.id} with the verdict {judged.verdict}, recomputed"
    chain = f"{len(receipt.history)} promotions in an unbroken chain"
    signed = ""
    if receipt.signature is not None:
        by = receipt.signature.public_key if key is None else str(key)
        signed = f"; signed by {'the key ' if key is None else ''}{by}"
        if not signatures.available():
            signed += " (not checked: that needs the extra `sign`)"
    state = found.state if found.anchored else f"is {found.state}"
    words = f"{state}: {receipt.model.version}, {evidence}; {chain}{signed}."
    if not found.anchored:
        words += " Give --digest, as it was when the receipt was written, to know that nobody wrote it anew."
    return words


COMMANDS: dict[str, click.Command] = {"receipt": receipt, "verify": verify}
