"""What is measured, and what strata-ckpt is to reach in each."""

from collections import namedtuple

# `server` is a server that bench-peers.sh starts; `many` files or one.
Scene = namedtuple("Scene", "title server many floor")

SCENES = {
    "plain": Scene("plain", "plain", many=False, floor=True),
    "tls": Scene("TLS", "tls", many=False, floor=False),
    "s3": Scene("like S3", "s3", many=False, floor=False),
    "minio": Scene("MinIO on the same machine", "minio", many=False, floor=False),
    "small-minio": Scene("small files, MinIO", "minio", many=True, floor=False),
    "small-s3": Scene("small files, like S3", "s3", many=True, floor=False),
    "no-checksums": Scene("plain, no checksums confirmed", "no-checksums", many=False, floor=True),
}

# At least `speed` times the fastest peer, at most `cpu` times the leanest peer's CPU, at most `memory` MiB.
Target = namedtuple("Target", "scene operation speed cpu memory")

TARGETS = [
    Target("plain", "put", 2.0, 0.5, 64),
    Target("plain", "get", 1.4, 0.9, 64),
    Target("tls", "put", 1.2, 0.9, 96),
    Target("tls", "get", 1.2, 0.9, 96),
    Target("s3", "put", 1.5, 0.8, 128),
    Target("s3", "get", 1.5, 0.8, 128),
    Target("minio", "put", 1.4, 0.5, 128),
    Target("minio", "get", 1.1, 1.0, 128),
    Target("small-minio", "put", 1.2, 0.8, 128),
    Target("small-minio", "get", 1.2, 0.8, 128),
    Target("small-s3", "put", 1.2, 0.8, 128),
    Target("small-s3", "get", 1.2, 0.8, 128),
]

# CPU, at most so many times that of curl on one connection, in the scene "plain".
FLOOR_TARGETS = {"put": 1.3, "get": 1.2}
