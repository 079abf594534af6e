"""How each client is called: its command for put, get, put-dir and get-dir, and the environment that all of them get.

Settings are each client's defaults, but for what is said here: rclone moves 16 parts at once instead of 4, and for
directories 64 files go at once where there is a setting. No client is told to leave out its checks, but rclone
that of ETags where the sink cannot pass it.
"""

import os
from pathlib import Path

HERE = Path(__file__).resolve().parent
OURS = "strata-ckpt"
FLOOR = "curl"
REGION = "us-east-1"
ACCESS_KEY = "benchmark"
SECRET_KEY = "benchmark-secret"
FILES_AT_ONCE = "64"

# Where the programs are; peers.py fills it in.
tools = {}


def ours(site, operation, local, key):
    if operation.startswith("put"):
        return [tools["ours"], "put", "-q", local, key]
    return [tools["ours"], "get", "-q", key, local]


def s5cmd(site, operation, local, key):
    remote = f"s3://{site.bucket}/{key}"
    base = [tools["s5cmd"], "--endpoint-url", site.url, "cp"]
    commands = {
        "put": [local, remote],
        "get": [remote, local],
        "put-dir": [local + "/", remote + "/"],
        "get-dir": [remote + "/*", local + "/"],
    }
    return [*base, *commands[operation]]


def rclone(site, operation, local, key):
    remote = f":s3:{site.bucket}/{key}"
    settings = [
        "--config", "/dev/null", "--s3-provider", "Minio", "--s3-endpoint", site.url, "--s3-region", REGION,
        "--s3-access-key-id", ACCESS_KEY, "--s3-secret-access-key", SECRET_KEY, "--s3-no-check-bucket",
        "-q",
    ]  # fmt: skip
    if site.name != "minio":
        # The sink's ETags are not made of MD5s.
        settings.append("--s3-use-multipart-etag=false")
    many = ["--transfers", FILES_AT_ONCE, "--checkers", FILES_AT_ONCE]
    commands = {
        "put": ["copyto", local, remote, "--s3-upload-concurrency", "16"],
        "get": ["copyto", remote, local, "--multi-thread-streams", "16"],
        "put-dir": ["copy", local, remote, *many],
        "get-dir": ["copy", remote, local, *many],
    }
    return [tools["rclone"], *commands[operation], *settings]


def mc(site, operation, local, key):
    remote = f"peers/{site.bucket}/{key}"
    base = [tools["mc"], "--config-dir", str(site.home / "mc"), "--quiet"]
    commands = {
        "put": ["cp", local, remote],
        "get": ["cp", remote, local],
        "put-dir": ["cp", "--recursive", local + "/", remote + "/"],
        "get-dir": ["cp", "--recursive", remote + "/", local + "/"],
    }
    return [*base, *commands[operation]]


def aws_cli(site, operation, local, key):
    remote = f"s3://{site.bucket}/{key}"
    base = [tools["aws"], "s3", "cp", "--only-show-errors"]
    commands = {
        "put": [local, remote],
        "get": [remote, local],
        "put-dir": ["--recursive", local, remote],
        "get-dir": ["--recursive", remote, local],
    }
    return [*base, *commands[operation]]


def aws_crt(site, operation, local, key):
    return [tools["python"], str(HERE / "crt_copy.py"), operation, local, site.bucket, key]


def obstore(site, operation, local, key):
    return [tools["python"], str(HERE / "obstore_copy.py"), operation, local, site.bucket, key]


def curl(site, operation, local, key):
    remote = f"{site.url}/{site.bucket}/{key}"
    if operation == "put":
        return ["curl", "-sSf", "-o", os.devnull, "-T", local, remote]
    return ["curl", "-sSf", "-o", local, remote]


CLIENTS = {
    OURS: ours,
    "s5cmd": s5cmd,
    "rclone": rclone,
    "mc": mc,
    "aws-cli": aws_cli,
    "AWS CRT": aws_crt,
    "obstore": obstore,
    FLOOR: curl,
}


def environment(site, operation):
    """All that a client gets to see: nothing of the user's own configuration, proxies or certificates."""
    home = site.home
    (home / "mc" / "certs" / "CAs").mkdir(parents=True, exist_ok=True)
    config = home / "aws"
    many = f"s3 =\n  max_concurrent_requests = {FILES_AT_ONCE}\n" if operation.endswith("-dir") else ""
    config.write_text("[default]\n" + many)
    env = {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "HOME": str(home),
        "TMPDIR": str(home),
        "XDG_STATE_HOME": str(home / "state"),
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(config),
        "AWS_ENDPOINT_URL": site.url,
        "STORAGE_BACKEND": "s3",
        "CHECKPOINT_BUCKET": site.bucket,
        "S3_ENDPOINT": site.url,
        "MC_HOST_peers": site.url.replace("://", f"://{ACCESS_KEY}:{SECRET_KEY}@"),
    }
    if site.ca:
        # Go, OpenSSL and rustls's native roots; the AWS SDKs and ours. mc reads its own directory.
        env["SSL_CERT_FILE"] = env["AWS_CA_BUNDLE"] = str(site.ca)
        (home / "mc" / "certs" / "CAs" / "ca.pem").write_bytes(site.ca.read_bytes())
    return env
