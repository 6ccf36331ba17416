"""Commands `receipt` and `verify`: writes and checks receipts of a model's evidence and history."""

import hashlib
from pathlib import Path

import click

from gatekeeper.cli.show import as_json, echo, json_option, opened
from gatekeeper.errors import DataError


@click.command()
@click.argument("model_id", type=int, metavar="ID")
@click.option(
    "--evaluation", type=int, metavar="N", help="Evaluation; default the one that promoted it, else the newest."
)
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Output file; default receipt_ID.json."
)
@json_option
def receipt(model_id: int, evaluation: int | None, output: Path | None, as_json_: bool) -> None:
    """Write a receipt of a model.

    It holds the model's hash, its evidence with every number of the verdict, and the promotion history. `gatekeeper
    verify` checks it offline. Keep its digest where nobody can change it.
    """
    from gatekeeper.files import write_whole
    from gatekeeper.registry.views import receipts

    with opened() as registry:
        content = registry.receipt(model_id, evaluation)
    place = output or Path(f"receipt_{model_id}.json")
    write_whole(place, content)
    receipt = receipts.read(content)
    digest = receipt and receipt.digest
    if as_json_:
        as_json({"file": str(place), "digest": digest})
    else:
        echo(f"Wrote {place}, digest {digest}")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE")
@click.option("--digest", help="Digest at the time of writing: proves that the file was not rewritten.")
@click.option(
    "--model", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="ONNX file to compare its hash with."
)
@json_option
def verify(file: Path, digest: str | None, model: Path | None, as_json_: bool) -> int:
    """Verify a receipt offline.

    Recomputes the verdict and the history's hash chain. Exits with 1 if anything was changed.
    """
    from gatekeeper.registry.views import receipts

    if file.stat().st_size > receipts.LARGEST:
        raise DataError(f"{file} has {file.stat().st_size:,} bytes. A receipt has at most {receipts.LARGEST:,}.")
    content = file.read_bytes()
    found, receipt = receipts.faults(content), receipts.read(content)
    if receipt is not None and digest is not None and digest != receipt.digest:
        found.append(f"its digest is {receipt.digest}, not {digest}: it was rewritten")
    if receipt is not None and model is not None:
        sha256 = hashlib.sha256(model.read_bytes()).hexdigest()
        if sha256 != receipt.model.sha256:
            found.append(f"{model} has sha256 {sha256}; the receipt's model has {receipt.model.sha256}")
    if as_json_:
        as_json({"file": str(file), "digest": receipt and receipt.digest, "faults": found})
    elif receipt is None or found:
        echo(*(f"FAULT: {each}" for each in found), err=True)
    else:
        judged = receipt.evaluation
        evidence = (
            "no evaluation"
            if judged is None
            else f"evaluation {judged.id} with the verdict {judged.verdict}, recomputed"
        )
        chain = f"{len(receipt.history)} promotions in an unbroken chain"
        echo(f"{file} is valid: {receipt.model.version}, {evidence}; {chain}.")
    return 1 if found else 0


COMMANDS: dict[str, click.Command] = {"receipt": receipt, "verify": verify}
