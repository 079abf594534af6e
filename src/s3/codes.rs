//! S3's own names for what is wrong, one by one: kind, text, what to do, whether it may pass.

use http::{Method, StatusCode};

use super::failure::{Asked, Details};
use crate::error::{Error, ErrorKind};

/// The server asks to slow down and has done nothing.
pub(super) fn throttles(status: StatusCode, code: &str) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS
        || matches!(
            code,
            "SlowDown"
                | "SlowDownRead"
                | "SlowDownWrite"
                | "Throttling"
                | "ThrottlingException"
                | "TooManyRequests"
                | "RequestLimitExceeded"
                | "BandwidthLimitExceeded"
                | "KMS.ThrottlingException"
        )
}

/// The server failed inside. 501, 505 and 507 will not get better.
pub(super) fn breaks(status: StatusCode, code: &str) -> bool {
    (status.is_server_error() && !matches!(status.as_u16(), 501 | 505 | 507))
        || matches!(code, "InternalError" | "ServiceUnavailable")
}

/// Refusals of one try that another may not meet.
pub(super) fn may_pass(code: &str) -> bool {
    matches!(
        code,
        "RequestTimeout"
            | "ConditionalRequestConflict"
            | "OperationAborted"
            | "IncompleteBody"
            | "BadDigest"
            | "XAmzContentChecksumMismatch"
            | "XAmzContentSHA256Mismatch"
            | "TemporaryRedirect"
            | "PriorRequestNotComplete"
            | "KMS.KMSInternalException"
            | "KMS.DependencyTimeoutException"
    )
}

pub(super) fn known(code: &str, details: &Details, asked: Asked<'_>) -> Option<Error> {
    let Asked { bucket, region, owner, .. } = asked;
    let said = || details.message.clone().unwrap_or_else(|| code.to_owned());
    let denied = |text: String, hint: &str| Error::new(ErrorKind::Denied, text).hint_is(hint);
    Some(match code {
        "NoSuchBucket" => Error::new(ErrorKind::NotFound, format!("the bucket '{bucket}' does not exist"))
            .hint_is("create it with `strata-ckpt setup`, or check CHECKPOINT_BUCKET and S3_ENDPOINT"),
        "BucketAlreadyExists" => {
            Error::new(ErrorKind::Exists, format!("the name '{bucket}' is taken: the bucket belongs to somebody else"))
                .hint_is("names of buckets are shared by all: choose another CHECKPOINT_BUCKET")
        }
        "NoSuchKey" => no_such_key(bucket),
        "NoSuchUpload" => Error::new(ErrorKind::Unavailable, "the upload no longer exists: it was aborted meanwhile")
            .hint_is("a lifecycle rule or another process aborted it: run the same command again"),
        "AccessDenied" if said().contains("kms:") => denied(
            format!("the identity may not use the key that the bucket '{bucket}' or --sse-kms-key-id names: {}", said()),
            "the identity needs kms:GenerateDataKey and kms:Decrypt on the key, for put and for get, and the key's own policy has to allow it",
        ),
        "AccessDenied" | "AllAccessDisabled" | "AccountProblem" => denied(
            access_denied(bucket, owner),
            "the identity needs s3:PutObject, s3:GetObject, s3:ListBucket, s3:DeleteObject and s3:AbortMultipartUpload on the bucket and its objects",
        ),
        "InvalidAccessKeyId" => denied(
            "the server does not know this access key".to_owned(),
            "check AWS_ACCESS_KEY_ID, and that it belongs to this endpoint",
        ),
        "SignatureDoesNotMatch" => denied(
            "the secret key is wrong".to_owned(),
            "check AWS_SECRET_ACCESS_KEY for missing or surplus characters",
        ),
        "RequestTimeTooSkewed" => denied(
            "this machine's clock differs too much from the server's".to_owned(),
            "set the clock, for example with timedatectl or chronyc",
        ),
        "ExpiredToken" | "InvalidToken" | "InvalidTokenId" | "TokenRefreshRequired" | "ExpiredTokenException" => {
            denied(
                "the session token has expired or is not valid".to_owned(),
                "get new credentials (for SSO: aws sso login), set all three AWS_ variables together, and run the same command again",
            )
        }
        "PermanentRedirect"
        | "AuthorizationHeaderMalformed"
        | "IllegalLocationConstraintException"
        | "TemporaryRedirect"
        | "Redirect" => wrong_region(details.region.as_deref(), bucket, region),
        "SecondLevelDomainForbidden" | "PathStyleDomainForbidden" => {
            Error::invalid("the server takes a bucket's name only as a part of the host's")
                .hint_is("use --addressing-style virtual (STRATA_ADDRESSING_STYLE)")
        }
        "PreconditionFailed" => Error::new(ErrorKind::Exists, "another object is there already"),
        "ConditionalRequestConflict" | "OperationAborted" => {
            Error::new(ErrorKind::Unavailable, "another writer was at the same object at the same time")
        }
        "BadDigest" | "XAmzContentChecksumMismatch" | "XAmzContentSHA256Mismatch" => {
            Error::new(ErrorKind::Integrity, "what reached the server is not what was sent")
                .hint_is("something between here and the server changes bytes: check network and memory")
        }
        "InvalidPart" | "InvalidPartOrder" => {
            Error::new(ErrorKind::Unavailable, "the server does not have all the parts that it confirmed")
                .hint_is("run the same command again")
        }
        _ if is_about_a_key(code) => Error::invalid(format!("the KMS key cannot be used: {}", said())).hint_is(
            "check --sse-kms-key-id, or the default encryption of the bucket: the key has to exist, to be enabled, and to be in the bucket's region",
        ),
        "InvalidStorageClass" => Error::invalid("the server does not have this storage class")
            .hint_is("choose another --storage-class or leave it out; MinIO has STANDARD and REDUCED_REDUNDANCY"),
        "InvalidRange" => Error::invalid("the range does not lie inside the object"),
        "InvalidBucketName" => Error::invalid(format!("the server does not take '{bucket}' as the name of a bucket"))
            .hint_is("check CHECKPOINT_BUCKET"),
        "KeyTooLongError" | "XMinioInvalidObjectName" | "XMinioInvalidResourceName" => {
            Error::invalid(format!("the server does not take this key: {}", said())).hint_is("choose another key")
        }
        "XMinioObjectExistsAsDirectory" | "XMinioParentIsObject" => {
            Error::new(ErrorKind::Exists, "the key is a file and a directory at once").hint_is("choose another key")
        }
        _ => return None,
    })
}

/// S3 does not tell a missing permission from a bucket of another owner than was expected.
fn access_denied(bucket: &str, owner: Option<&str>) -> String {
    let other = owner.map(|owner| format!(", or it does not belong to the account {owner}"));
    format!("access to the bucket '{bucket}' is denied{}", other.unwrap_or_default())
}

/// What the key management service says of the key, as S3 and MinIO hand it on.
fn is_about_a_key(code: &str) -> bool {
    let of_amazon = code.starts_with("KMS.") && !throttles(StatusCode::BAD_REQUEST, code) && !may_pass(code);
    of_amazon || code == "kms:KeyNotFound"
}

pub(super) fn no_such_key(bucket: &str) -> Error {
    Error::new(ErrorKind::NotFound, format!("there is no such object in bucket '{bucket}'"))
        .hint_is("see what is there with `strata-ckpt ls`")
}

pub(super) fn wrong_region(actual: Option<&str>, bucket: &str, region: &str) -> Error {
    match actual {
        Some(actual) if actual != region => {
            Error::invalid(format!("the bucket '{bucket}' is in region {actual}, not in {region}"))
                .hint_is(format!("set AWS_REGION={actual}"))
        }
        _ => Error::invalid(format!("the bucket '{bucket}' is not in region {region}, or not at this endpoint"))
            .hint_is("set AWS_REGION to the bucket's region, and check S3_ENDPOINT"),
    }
}

/// Refusals without a code that we know: HEAD has no body, and other servers have other codes.
pub(super) fn by_status(status: StatusCode, details: &Details, asked: Asked<'_>) -> Error {
    let Asked { method, bucket, region, owner } = asked;
    let is_head = *method == Method::HEAD;
    match status.as_u16() {
        404 if is_head => no_such_key(bucket)
            .hint_is(format!("see what is there with `strata-ckpt ls`; check that the bucket '{bucket}' exists, or create it with `strata-ckpt setup`")),
        404 => Error::new(ErrorKind::NotFound, plain(status, details))
            .hint_is(format!("check the endpoint (S3_ENDPOINT) and that the bucket '{bucket}' exists")),
        401 | 403 if details.code.is_none() => Error::new(
            ErrorKind::Denied,
            format!("{} ({})", access_denied(bucket, owner), status.as_u16()),
        )
        .hint_is(
            "check the keys, and that the identity has s3:GetObject and s3:ListBucket on the bucket and its objects",
        ),
        401 | 403 => Error::new(ErrorKind::Denied, plain(status, details)),
        400 if is_head => Error::new(ErrorKind::Denied, "the server refuses the request and gives no reason (400)")
            .hint_is("the session token may have expired, or AWS_REGION may not be the bucket's region"),
        407 => Error::new(ErrorKind::Denied, "the proxy wants credentials (407)"),
        412 => Error::new(ErrorKind::Exists, "another object is there already"),
        416 => Error::invalid("the range does not lie inside the object"),
        301 | 302 | 307 | 308 => wrong_region(details.region.as_deref(), bucket, region),
        408 => Error::new(ErrorKind::Unavailable, plain(status, details)).retryable(None),
        _ => Error::new(ErrorKind::Other, plain(status, details)),
    }
}

/// The code of a refusal without one, as that of a HEAD is. Errors that never reached the server have no code at all.
pub(super) const FORBIDDEN: &str = "Forbidden";

/// The code that goes with a status where the server gives none.
pub(super) fn code_of(status: StatusCode) -> Option<&'static str> {
    match status.as_u16() {
        400 => Some("BadRequest"),
        401 | 403 => Some(FORBIDDEN),
        412 => Some("PreconditionFailed"),
        416 => Some("InvalidRange"),
        501 => Some("NotImplemented"),
        _ => None,
    }
}

pub(super) fn plain(status: StatusCode, details: &Details) -> String {
    let reason = status.canonical_reason().unwrap_or("unknown status");
    match (&details.code, &details.message) {
        (Some(code), Some(message)) => format!("the server answered {code}: {}", message.trim_end_matches('.')),
        (Some(code), None) => format!("the server answered {code} ({})", status.as_u16()),
        (None, _) if details.is_html => {
            format!("a web page came back instead of an answer of S3 ({} {reason})", status.as_u16())
        }
        (None, _) => format!("the server answered {} {reason}", status.as_u16()),
    }
}
