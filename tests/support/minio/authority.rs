//! A private certificate authority, and a certificate of it for loopback.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;

pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    ca: PathBuf,
    _directory: TempDir,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        // Each has a name of its own, as in life.
        params.distinguished_name.push(DnType::CommonName, format!("authority {}", uuid::Uuid::new_v4()));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let ca = directory.path().join("ca.pem");
        fs::write(&ca, certificate.pem()).unwrap();
        Authority { issuer: Issuer::new(params, key), ca, _directory: directory }
    }

    /// The file that `AWS_CA_BUNDLE` names.
    pub fn ca(&self) -> &Path {
        &self.ca
    }

    /// A certificate for these names that ends with this year, and its key.
    pub fn certificate(&self, names: &[&str], until: i32) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
        let mut params =
            CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(until, 12, 31);
        let pair = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&pair, &self.issuer).unwrap();
        (certificate.der().clone(), PrivateKeyDer::Pkcs8(pair.serialize_der().into()))
    }

    /// A certificate for these names that its owner signed, and that says it is an authority, as `openssl req -x509` makes
    /// them; its key, and the file for `AWS_CA_BUNDLE`.
    pub fn of_itself(names: &[&str]) -> (Self, (CertificateDer<'static>, PrivateKeyDer<'static>)) {
        let mut params =
            CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let ca = directory.path().join("ca.pem");
        fs::write(&ca, certificate.pem()).unwrap();
        let shown = (certificate.der().clone(), PrivateKeyDer::Pkcs8(key.serialize_der().into()));
        (Authority { issuer: Issuer::new(params, key), ca, _directory: directory }, shown)
    }

    /// Writes a certificate for 127.0.0.1 and localhost, and its key.
    pub fn certify_loopback(&self, certificate: &Path, key: &Path) {
        let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
        let params = CertificateParams::new(names).unwrap();
        let pair = KeyPair::generate().unwrap();
        fs::write(certificate, params.signed_by(&pair, &self.issuer).unwrap().pem()).unwrap();
        fs::write(key, pair.serialize_pem()).unwrap();
    }
}
