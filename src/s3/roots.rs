//! Which certificate authorities are trusted.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore};

use super::pinned::Pinned;

use crate::error::{Error, Result};

/// Where trusted authorities are found.
#[derive(Clone, Debug, Default)]
pub(super) struct Roots {
    /// A file and directories in place of the system's.
    pub(super) file: Option<PathBuf>,
    pub(super) directories: Vec<PathBuf>,
    /// A file on top of either.
    pub(super) bundle: Option<PathBuf>,
}

/// Who is trusted.
pub(super) struct Trusted {
    authorities: RootCertStore,
    /// Those of them that were named by a setting: a server may show one of them as its own.
    named: Vec<CertificateDer<'static>>,
}

impl Trusted {
    /// Nobody, for where no TLS is spoken.
    pub(super) fn nobody() -> Self {
        Trusted { authorities: RootCertStore::empty(), named: Vec::new() }
    }

    /// TLS 1.3 or 1.2 with whom is trusted.
    ///
    /// # Errors
    /// Where the cryptography does not know one of the versions, which is a defect.
    pub(super) fn client(self) -> Result<ClientConfig> {
        let unusable = |error: &dyn fmt::Display| Error::invalid(format!("TLS cannot be set up: {error}"));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(|error| unusable(&error))?;
        if self.named.is_empty() {
            return Ok(builder.with_root_certificates(self.authorities).with_no_client_auth());
        }
        let verifier = Pinned::new(self.authorities, self.named, provider).map_err(|error| unusable(&error))?;
        Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth())
    }
}

impl fmt::Debug for Trusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trusted").field("authorities", &self.authorities.len()).finish_non_exhaustive()
    }
}

/// The authorities that these come to. Never none: then nothing could be verified.
///
/// # Errors
/// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) naming the file that cannot be used, and its variable.
pub(super) fn trusted(from: &Roots) -> Result<Trusted> {
    let (mut roots, mut named) = (RootCertStore::empty(), Vec::new());
    if from.file.is_none() && from.directories.is_empty() {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    if let Some(file) = &from.file {
        named.extend(add("SSL_CERT_FILE", file, &mut roots)?);
    }
    for directory in &from.directories {
        // What is none in a directory is passed over, as OpenSSL does.
        let found = rustls_native_certs::load_certs_from_paths(None, Some(directory)).certs;
        roots.add_parsable_certificates(found.iter().cloned());
        named.extend(found);
    }
    if let Some(bundle) = &from.bundle {
        named.extend(add("AWS_CA_BUNDLE", bundle, &mut roots)?);
    }
    if !roots.is_empty() {
        return Ok(Trusted { authorities: roots, named });
    }
    Err(match from.directories.first() {
        Some(directory) => Error::invalid(format!("there is no certificate authority in '{}'", directory.display()))
            .hint_is("SSL_CERT_DIR names directories of PEM certificates under names that `openssl rehash` gives"),
        None => Error::invalid("this machine trusts no certificate authority, so https cannot be verified")
            .hint_is("install the package ca-certificates, or set AWS_CA_BUNDLE"),
    })
}

/// Adds all certificates of the file that the variable names, and gives them.
fn add(variable: &str, path: &Path, roots: &mut RootCertStore) -> Result<Vec<CertificateDer<'static>>> {
    let unusable = |why: &str| {
        Error::invalid(format!("the certificates in '{}' cannot be used: {why}", path.display()))
            .hint_is(format!("{variable} names a file of PEM certificates"))
    };
    let bytes = std::fs::read(path).map_err(|error| unusable(&error.kind().to_string()).caused_by(error))?;
    let mut all = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(&bytes) {
        let certificate = certificate.map_err(|_| unusable("one is not valid PEM"))?;
        roots.add(certificate.clone()).map_err(|_| unusable("one is not a valid certificate"))?;
        all.push(certificate);
    }
    if all.is_empty() { Err(unusable("there is none in it")) } else { Ok(all) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_none_is_refused_by_name() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = Some(file.path().to_owned());
        for content in ["", "not a certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            std::fs::write(file.path(), content).unwrap();
            for (from, variable) in [
                (Roots { bundle: path.clone(), ..Roots::default() }, "AWS_CA_BUNDLE"),
                (Roots { file: path.clone(), ..Roots::default() }, "SSL_CERT_FILE"),
            ] {
                let error = trusted(&from).unwrap_err();
                assert!(error.to_string().contains(file.path().to_str().unwrap()), "{error}");
                assert!(error.hint().unwrap().contains(variable), "{error}");
            }
        }
        assert!(trusted(&Roots { bundle: Some("/nonexistent/ca.pem".into()), ..Roots::default() }).is_err());
    }

    #[test]
    fn an_empty_directory_is_not_made_up_for_by_the_system() {
        let directory = tempfile::tempdir().unwrap();
        let error = trusted(&Roots { directories: vec![directory.path().into()], ..Roots::default() }).unwrap_err();
        assert!(error.hint().unwrap().contains("SSL_CERT_DIR"), "{error}");
    }
}
