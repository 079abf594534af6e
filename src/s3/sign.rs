//! Signatures by AWS's own signer. rusoto's reads the clock itself and keeps keys as plain strings.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode,
    sign as sigv4,
};
use aws_sigv4::sign::v4;
use http::request::Parts;
use http::{HeaderName, HeaderValue};

use super::payload::Payload;
use crate::error::{Error, ErrorKind, Result};

/// Adds `authorization` and what belongs to it. S3 takes paths as they are, encoded once
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>). The bodies of parts are not
/// hashed: their CRC-64/NVME is among the signed headers.
pub(super) fn sign(
    parts: &mut Parts,
    body: &Payload,
    credentials: &Credentials,
    region: &str,
    now: SystemTime,
) -> Result<()> {
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
        Error::new(ErrorKind::Other, "the request could not be signed").caused_by(error)
    };
    let mut settings = SigningSettings::default();
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    let identity = credentials.clone().into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("s3")
        .time(now)
        .settings(settings)
        .build()
        .map_err(|error| failed(error.into()))?
        .into();
    let headers: Vec<(&str, &str)> = parts
        .headers
        .iter()
        .map(|(name, value)| Ok((name.as_str(), value.to_str().map_err(|error| failed(error.into()))?)))
        .collect::<Result<_>>()?;
    let body = match body {
        Payload::Empty => SignableBody::empty(),
        Payload::Bytes(bytes) => SignableBody::Bytes(bytes),
        Payload::Part(_) => SignableBody::UnsignedPayload,
    };
    let uri = parts.uri.to_string();
    let request = SignableRequest::new(parts.method.as_str(), uri, headers.into_iter(), body)
        .map_err(|error| failed(error.into()))?;
    let (instructions, _) = sigv4(request, &params).map_err(|error| failed(error.into()))?.into_parts();
    for header in instructions.into_parts().0 {
        let mut value = HeaderValue::from_str(header.value()).map_err(|error| failed(error.into()))?;
        value.set_sensitive(header.sensitive() || header.name() == "authorization");
        parts.headers.insert(HeaderName::from_static(header.name()), value);
    }
    Ok(())
}
