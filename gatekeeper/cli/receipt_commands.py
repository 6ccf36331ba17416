"""Commands `receipt` and `verify`: writes and checks receipts of a model's evidence and history."""

import hashlib
import json
from pathlib import Path

import click

from gatekeeper.cli.show import as_json, json_option, opened
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

    with opened() as registry:
        content = registry.receipt(model_id, evaluation)
    place = output or Path(f"receipt_{model_id}.json")
    write_whole(place, content)
    digest = json.loads(content)["digest"]
    if as_json_:
        as_json({"file": str(place), "digest": digest})
    else:
        click.echo(f"Wrote {place}, digest {digest}")


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
    found = receipts.faults(content)
    read = json.loads(content)
    if digest is not None and digest != read["digest"]:
        found.append(f"its digest is {read['digest']}, not {digest}: it was rewritten")
    if model is not None and (sha256 := hashlib.sha256(model.read_bytes()).hexdigest()) != read["model"]["sha256"]:
        found.append(f"{model} has sha256 {sha256}; the receipt's model has {read['model']['sha256']}")
    if as_json_:
        as_json({"file": str(file), "digest": read["digest"], "faults": found})
    elif found:
        click.echo("\n".join(f"FAULT: {each}" for each in found), err=True)
    else:
        judged = read["evaluation"]
        evidence = (
            "no evaluation"
            if judged is None
            else f"evaluation {judged['id']} with the verdict {judged['verdict']}, recomputed"
        )
        chain = f"{len(read['history'])} promotions in an unbroken chain"
        click.echo(f"{file} is valid: {read['model']['version']}, {evidence}; {chain}.")
    return 1 if found else 0


COMMANDS: dict[str, click.Command] = {"receipt": receipt, "verify": verify}
