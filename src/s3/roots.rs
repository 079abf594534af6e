//! Which certificate authorities are trusted.

use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

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

/// The authorities that these come to. Never none: then nothing could be verified.
pub(super) fn trusted(from: &Roots) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    if from.file.is_none() && from.directories.is_empty() {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    if let Some(file) = &from.file {
        add("SSL_CERT_FILE", file, &mut roots)?;
    }
    for directory in &from.directories {
        // What is none in a directory is passed over, as OpenSSL does.
        roots.add_parsable_certificates(rustls_native_certs::load_certs_from_paths(None, Some(directory)).certs);
    }
    if let Some(bundle) = &from.bundle {
        add("AWS_CA_BUNDLE", bundle, &mut roots)?;
    }
    if !roots.is_empty() {
        return Ok(roots);
    }
    Err(match from.directories.first() {
        Some(directory) => Error::invalid(format!("there is no certificate authority in '{}'", directory.display()))
            .hint_is("SSL_CERT_DIR names directories of PEM certificates under names that `openssl rehash` gives"),
        None => Error::invalid("this machine trusts no certificate authority, so https cannot be verified")
            .hint_is("install the package ca-certificates, or set AWS_CA_BUNDLE"),
    })
}

/// Adds all certificates of the file that the variable names.
fn add(variable: &str, path: &Path, roots: &mut RootCertStore) -> Result<()> {
    let unusable = |why: &str| {
        Error::invalid(format!("the certificates in '{}' cannot be used: {why}", path.display()))
            .hint_is(format!("{variable} names a file of PEM certificates"))
    };
    let bytes = std::fs::read(path).map_err(|error| unusable(&error.kind().to_string()).caused_by(error))?;
    let before = roots.len();
    for certificate in CertificateDer::pem_slice_iter(&bytes) {
        let certificate = certificate.map_err(|_| unusable("one is not valid PEM"))?;
        roots.add(certificate).map_err(|_| unusable("one is not a valid certificate"))?;
    }
    if roots.len() == before { Err(unusable("there is none in it")) } else { Ok(()) }
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
