"""What a transfer job does when its root is on S3, and S3 fails; docs/operations.md has the same as a table.

Each job has worker processes of its own: the fault is in the server that the environment names when they start.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import boto3
import fsspec
import pytest

from mien import storage
from tests.integration.faulty_job import RESULT, Job, augment
from tests.integration.faulty_s3 import PASSING, FaultyS3, faulty_s3

pytestmark = pytest.mark.usefixtures("prefect_server", "job")


@pytest.fixture
def faulty(job: Job, s3_endpoint: str, s3_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[FaultyS3, str]]:
    """A prepared root on S3 behind the proxy."""
    store, bucket = boto3.client("s3", endpoint_url=s3_endpoint), s3_url.removeprefix("s3://")
    for path in job.root.rglob("*"):
        if path.is_file():
            store.put_object(Bucket=bucket, Key=f"root/{path.relative_to(job.root).as_posix()}", Body=path.read_bytes())
    with faulty_s3(s3_endpoint) as faults:
        monkeypatch.setenv("AWS_ENDPOINT_URL", faults.url)
        fsspec.get_filesystem_class("s3").clear_instance_cache()
        yield faults, f"{s3_url}/root"


def stored(s3_endpoint: str, url: str) -> dict[str, str]:
    """sha256 by path of what a root on S3 holds of the job, read past the proxy."""
    store, bucket = boto3.client("s3", endpoint_url=s3_endpoint), url.split("/")[2]
    found = store.list_objects_v2(Bucket=bucket, Prefix="root/")["Contents"]
    names = [item["Key"].removeprefix("root/") for item in found]
    read = {n: store.get_object(Bucket=bucket, Key=f"root/{n}")["Body"].read() for n in names if n.startswith(RESULT)}
    return {name: hashlib.sha256(data).hexdigest() for name, data in read.items()}


def test_faults_that_pass_are_tried_again_and_the_job_ends_whole(
    job: Job, faulty: tuple[FaultyS3, str], s3_endpoint: str
) -> None:
    faults, url = faulty
    faults.share = 0.1
    augment(url)
    assert stored(s3_endpoint, url) == job.whole
    met = {fault: faults.done[fault] for fault in PASSING}
    assert sum(met.values()) >= 10
    assert sum(count > 0 for count in met.values()) >= 4, met


@pytest.mark.long
def test_expired_credentials_end_the_job_in_one_line_and_the_next_one_goes_on(
    job: Job, faulty: tuple[FaultyS3, str], s3_endpoint: str
) -> None:
    faults, url = faulty
    faults.expire_after = 2
    with pytest.raises(storage.StorageError, match=r"was refused.*check the credentials") as told:
        augment(url)
    assert "\n" not in str(told.value)
    kept = stored(s3_endpoint, url)
    assert sum(name.startswith("transfers/shards/") for name in kept) == 2
    leases = {name for name in kept if "/leases/" in name}  # they could not be deleted
    assert {name: digest for name, digest in kept.items() if name not in leases}.items() <= job.whole.items()
    faults.heal()
    augment(url)
    assert stored(s3_endpoint, url) == job.whole


def test_a_missing_bucket_is_named(job: Job, faulty: tuple[FaultyS3, str]) -> None:
    from mien.tasks.errors import UsageError

    with pytest.raises(UsageError, match=r"the bucket of s3://no-such-bucket/.* does not exist: create it"):
        augment("s3://no-such-bucket/root")
