"""Why is this model where it is, and can that be proved to somebody who has only a file?"""

import hashlib
from pathlib import Path

import click

from gatekeeper.cli.show import as_json, json_option, opened
from gatekeeper.errors import DataError


@click.command()
@click.argument("model_id", type=int, metavar="ID")
@click.option("--evaluation", type=int, metavar="N", help="Another one than that which promoted it, or the newest.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Default: receipt_ID.json.")
@json_option
def receipt(model_id: int, evaluation: int | None, output: Path | None, as_json_: bool) -> None:
    """Writes one file: the model's hash, its evidence with every number of the verdict, and the whole history.

    `gatekeeper verify` proves it, with nothing else at hand. Keep its digest where nobody can change it.
    """
    from gatekeeper.files import write_whole
    from gatekeeper.registry.views import receipts

    with opened() as registry:
        content = registry.receipt(model_id, evaluation)
    place = output or Path(f"receipt_{model_id}.json")
    write_whole(place, content)
    told = receipts.told(content)
    digest = told and told.digest
    if as_json_:
        as_json({"file": str(place), "digest": digest})
    else:
        click.echo(f"{place}, digest {digest}")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE")
@click.option("--digest", help="What it was when it was written: shows that nobody wrote the whole file anew.")
@click.option("--model", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="The ONNX file it is of.")
@json_option
def verify(file: Path, digest: str | None, model: Path | None, as_json_: bool) -> int:
    """Recomputes a receipt's verdict and history, offline; exits 1 where anything isn't as it was written."""
    from gatekeeper.registry.views import receipts

    if file.stat().st_size > receipts.LARGEST:
        raise DataError(f"{file} has {file.stat().st_size} bytes; a receipt has at most {receipts.LARGEST}")
    content = file.read_bytes()
    found, told = receipts.faults(content), receipts.told(content)
    if told is not None and digest is not None and digest != told.digest:
        found.append(f"its digest is {told.digest}, not {digest}: it was written anew")
    if told is not None and model is not None:
        sha256 = hashlib.sha256(model.read_bytes()).hexdigest()
        if sha256 != told.model.sha256:
            found.append(f"{model} has sha256 {sha256}, and the receipt is of {told.model.sha256}")
    if as_json_:
        as_json({"file": str(file), "digest": told and told.digest, "faults": found})
    elif told is None or found:
        click.echo("\n".join(f"FAULT: {each}" for each in found), err=True)
    else:
        judged = told.evaluation
        verdict = "no evaluation" if judged is None else f"evaluation {judged.id} says {judged.verdict}, judged again"
        click.echo(f"{file} holds: {told.model.version}, {verdict}; {len(told.history)} promotions in one chain")
    return 1 if found else 0


COMMANDS: dict[str, click.Command] = {"receipt": receipt, "verify": verify}
