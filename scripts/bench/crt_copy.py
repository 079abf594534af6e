"""Puts or gets a file or a directory through AWS's Common Runtime S3 client, as the AWS CLI's crt transfers do."""

import os
import sys

import botocore.session
from s3transfer.crt import (
    BotocoreCRTCredentialsWrapper,
    BotocoreCRTRequestSerializer,
    CRTTransferManager,
    create_s3_crt_client,
)

PART = 8 << 20
TARGET_BYTES_A_SECOND = 12.5e9


def pairs(session, operation, local, bucket, key):
    """Local paths and the keys that belong to them."""
    if operation in ("put", "get"):
        return [(local, key)]
    if operation == "put-dir":
        return [(entry.path, f"{key}/{entry.name}") for entry in os.scandir(local)]
    os.makedirs(local)
    pages = session.create_client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key + "/")
    keys = [item["Key"] for page in pages for item in page["Contents"]]
    return [(os.path.join(local, os.path.basename(key)), key) for key in keys]


def main(operation, local, bucket, key):
    session = botocore.session.get_session()
    region, url = os.environ["AWS_REGION"], os.environ["AWS_ENDPOINT_URL"]
    credentials = BotocoreCRTCredentialsWrapper(session.get_credentials())
    client = create_s3_crt_client(
        region,
        crt_credentials_provider=credentials.to_crt_credentials_provider(),
        part_size=PART,
        target_throughput=TARGET_BYTES_A_SECOND,
        use_ssl=url.startswith("https"),
        verify=os.environ.get("AWS_CA_BUNDLE"),
    )
    serializer = BotocoreCRTRequestSerializer(session, {"region_name": region, "endpoint_url": url})
    with CRTTransferManager(client, serializer) as manager:
        todo = pairs(session, operation, local, bucket, key)
        if operation.startswith("put"):
            futures = [manager.upload(path, bucket, key) for path, key in todo]
        else:
            futures = [manager.download(bucket, key, path) for path, key in todo]
        for future in futures:
            future.result()


if __name__ == "__main__":
    main(*sys.argv[1:])
