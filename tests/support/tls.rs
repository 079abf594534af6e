//! TLS in front of a server that has none.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection};

/// Years in which a certificate is still valid, and is no more.
pub const VALID: i32 = 2090;
pub const EXPIRED: i32 = 2021;

/// What `openssl req -x509` makes, ending with this year: a certificate that has signed itself and may sign others, its PEM
/// form, and its key.
pub fn self_signed(name: &str, until: i32) -> (String, (CertificateDer<'static>, PrivateKeyDer<'static>)) {
    let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, format!("itself {}", uuid::Uuid::new_v4()));
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(until, 12, 31);
    let pair = rcgen::KeyPair::generate().unwrap();
    let certificate = params.self_signed(&pair).unwrap();
    let key = PrivateKeyDer::Pkcs8(pair.serialize_der().into());
    (certificate.pem(), (certificate.der().clone(), key))
}

/// Where TLS is spoken with this certificate, for the server at `inside`, until the test process ends.
pub fn in_front_of(
    inside: SocketAddr,
    (certificate, key): (CertificateDer<'static>, PrivateKeyDer<'static>),
) -> SocketAddr {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for outside in listener.incoming().flatten() {
            let config = config.clone();
            // A client that does not trust the certificate ends the connection.
            thread::spawn(move || {
                let _ = serve(&outside, inside, config);
                let _ = outside.shutdown(Shutdown::Both);
            });
        }
    });
    address
}

/// Answers and requests take turns on a connection, so that one thread serves both ways.
fn serve(mut outside: &TcpStream, inside: SocketAddr, config: Arc<ServerConfig>) -> std::io::Result<()> {
    let mut session = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut inside = TcpStream::connect(inside)?;
    inside.set_nodelay(true)?;
    let mut buffer = vec![0; 64 << 10];
    while session.is_handshaking() {
        session.complete_io(&mut outside)?;
    }
    let session = Arc::new(Mutex::new(session));
    let back = (inside.try_clone()?, outside.try_clone()?, session.clone());
    thread::spawn(move || {
        let (mut inside, mut outside, session) = back;
        let mut buffer = vec![0; 64 << 10];
        while let Ok(count @ 1..) = inside.read(&mut buffer) {
            let mut session = session.lock().unwrap();
            if session.writer().write_all(&buffer[..count]).is_err() {
                break;
            }
            while session.wants_write() {
                if session.write_tls(&mut outside).is_err() {
                    return;
                }
            }
        }
        let _ = outside.shutdown(Shutdown::Both);
    });
    let mut sealed = vec![0; 64 << 10];
    // The handshake may have brought the first of it.
    let mut rest: &[u8] = &[];
    loop {
        let mut unsealed = Vec::new();
        let mut talking = session.lock().unwrap();
        loop {
            while let Ok(count @ 1..) = talking.reader().read(&mut buffer) {
                unsealed.extend_from_slice(&buffer[..count]);
            }
            if rest.is_empty() {
                break;
            }
            talking.read_tls(&mut rest)?;
            talking.process_new_packets().map_err(std::io::Error::other)?;
        }
        while talking.wants_write() {
            talking.write_tls(&mut outside)?;
        }
        // The other way goes on while this one waits.
        drop(talking);
        inside.write_all(&unsealed)?;
        let count = outside.read(&mut sealed)?;
        if count == 0 {
            return inside.shutdown(Shutdown::Both);
        }
        rest = &sealed[..count];
    }
}
