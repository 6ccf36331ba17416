"""Site on object storage for tests: a project folder, and a bucket with its models."""

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from registry_site import Site
from s3_server import S3

BUCKET = "gatekeeper-test"


@dataclass(frozen=True)
class BucketSite(Site):
    """The prefix has the folder's name. `s3` is how tests look past the registry."""

    s3: S3 | None = None

    @property
    def prefix(self) -> str:
        return self.root.name

    @property
    def models(self) -> str:
        return f"s3://{BUCKET}/{self.prefix}"

    def put(self, name: str, content: bytes) -> None:
        """An object of the user's, or what `aws s3 cp` writes over one of ours."""
        self.s3.client.put_object(Bucket=BUCKET, Key=f"{self.prefix}/{name}", Body=content)

    def get(self, name: str) -> bytes:
        return self.s3.get(BUCKET, f"{self.prefix}/{name}")

    def delete(self, name: str) -> None:
        self.s3.client.delete_object(Bucket=BUCKET, Key=f"{self.prefix}/{name}")

    def files(self) -> dict[str, str]:
        """Every object with its sha256."""
        found = self.s3.objects(BUCKET, self.prefix)
        return {name: hashlib.sha256(content).hexdigest() for name, content in found.items()}

    def copy(self, root: Path) -> "BucketSite":
        """Folder and objects once more, under another name. Nobody may be using them."""
        shutil.copytree(self.root, root)
        other = BucketSite(root, s3=self.s3)
        for name in self.s3.names(BUCKET, self.prefix):
            source = {"Bucket": BUCKET, "Key": f"{self.prefix}/{name}"}
            self.s3.client.copy_object(CopySource=source, Bucket=BUCKET, Key=f"{other.prefix}/{name}")
        return other

    def state(self) -> tuple[list[tuple], dict[str, str]]:
        """All that a registry consists of."""
        return self.rows(), self.files()


def check_primary_opens(site: BucketSite) -> None:
    """As any server sees it, by SQL and a GET alone: one primary, whose object holds its bytes."""
    ((path, sha256),) = site.sql(
        'SELECT path, sha256 FROM "RLModel" JOIN gatekeeper_artifact ON model_id = id '
        "WHERE substr(version, 1, 18) = 'gatekeeper_primary'"
    )
    assert hashlib.sha256(site.get(path.removeprefix("models/"))).hexdigest() == sha256
