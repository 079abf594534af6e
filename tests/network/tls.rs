//! Certificates: who is trusted, and what is said where nobody is.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;

use crate::support::bed::Bed;
use crate::support::minio::authority::Authority;
use crate::support::tls::{EXPIRED, VALID, in_front_of, self_signed};
use crate::{Secure, client, ok, round_trip, run, told};

fn endpoint(address: SocketAddr) -> String {
    format!("https://localhost:{}", address.port())
}

#[test]
fn a_private_authority_is_trusted_by_each_of_the_variables() {
    let secure = Secure::for_names(&["localhost"]);
    let (bed, endpoint) = (client(), endpoint(secure.address));
    let directory = secure.authority.ca().parent().unwrap().to_str().unwrap();
    for (name, value) in [("AWS_CA_BUNDLE", secure.ca()), ("SSL_CERT_FILE", secure.ca())] {
        round_trip(&bed, &[("S3_ENDPOINT", &endpoint), (name, value)]);
    }
    // OpenSSL's directories have names that are hashes; the first of several may not be there.
    std::fs::copy(secure.ca(), format!("{directory}/0123abcd.0")).unwrap();
    let directories = format!("/nonexistent:{directory}");
    round_trip(&bed, &[("S3_ENDPOINT", &endpoint), ("SSL_CERT_DIR", &directories)]);
}

#[test]
fn dotenv_names_authorities_as_well() {
    let secure = Secure::for_names(&["localhost"]);
    let (bed, endpoint) = (client(), endpoint(secure.address));
    for name in ["AWS_CA_BUNDLE", "SSL_CERT_FILE"] {
        bed.write(".env", format!("{name}={}\nS3_ENDPOINT={endpoint}\n", secure.ca()).as_bytes());
        round_trip(&bed, &[]);
    }
}

/// `SSL_CERT_FILE` stands in place of the system's authorities, `AWS_CA_BUNDLE` beside them.
#[test]
fn one_replaces_and_the_other_adds() {
    let (one, other) = (Secure::for_names(&["localhost"]), Authority::new());
    let (bed, endpoint) = (client(), endpoint(one.address));
    let replaced = [("S3_ENDPOINT", endpoint.as_str()), ("SSL_CERT_FILE", other.ca().to_str().unwrap())];
    assert_eq!(run(&bed, &replaced, &["ls"]).code, Some(7));
    ok(&bed, &[replaced[0], replaced[1], ("AWS_CA_BUNDLE", one.ca())], &["ls"]);
    let system = [replaced[0], ("SSL_CERT_FILE", one.ca()), ("AWS_CA_BUNDLE", other.ca().to_str().unwrap())];
    ok(&bed, &system, &["ls"]);
}

#[test]
fn a_certificate_that_proves_nothing_is_refused_and_nothing_is_sent() {
    let authority = Authority::new();
    let ca = authority.ca().to_str().unwrap();
    let (server, bed) = (crate::Faulty::start([]), client());
    for (name, signer, names, until) in [
        ("wrong_authority", &Authority::new(), &["localhost"], VALID),
        ("expired", &authority, &["localhost"], EXPIRED),
        ("wrong_name", &authority, &["minio.example.com"], VALID),
    ] {
        let address = in_front_of(server.address(), signer.certificate(names, until));
        let variables = [("S3_ENDPOINT", endpoint(address)), ("AWS_CA_BUNDLE", ca.to_owned())];
        let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
        let said = run(&bed, &variables, &["put", "model.bin"]);
        assert_eq!(said.code, Some(7), "{said:?}");
        insta::assert_snapshot!(name, told(&said, &[address]));
    }
    assert!(server.keys().is_empty());
}

/// What `openssl req -x509` makes: server and authority at once. Named byte for byte it is taken, as curl does; its name and
/// its time count all the same, and so does which one it is.
#[test]
fn a_certificate_that_has_signed_itself_is_taken_where_it_is_named() {
    let server = crate::Faulty::start([]);
    let bed = client();
    for (name, until, is_named, expected) in [
        ("localhost", VALID, true, None),
        ("localhost", VALID, false, Some("is not trusted")),
        ("localhost", EXPIRED, true, Some("has expired on 2021-12-31")),
        ("minio.example.com", VALID, true, Some("is for minio.example.com, not for localhost")),
    ] {
        let (pem, shown) = self_signed(name, until);
        // Of the same kind, but not the one.
        let (other, _) = self_signed(name, until);
        bed.write("itself.pem", if is_named { pem } else { other }.as_bytes());
        let endpoint = endpoint(in_front_of(server.address(), shown));
        for variable in ["AWS_CA_BUNDLE", "SSL_CERT_FILE"] {
            let variables = [("S3_ENDPOINT", endpoint.as_str()), (variable, "itself.pem")];
            match expected {
                None => round_trip(&bed, &variables),
                Some(expected) => {
                    let said = run(&bed, &variables, &["ls"]);
                    assert_eq!(said.code, Some(7), "{said:?}");
                    assert!(said.stderr.contains(expected) && !said.stderr.contains("CaUsed"), "{said:?}");
                }
            }
        }
    }
}

/// Nobody names it: it is said what to do.
#[test]
fn the_certificate_of_an_authority_is_no_servers() {
    let ((_, shown), other) = (Authority::of_itself(&["localhost"]), Authority::new());
    let (server, bed) = (crate::Faulty::start([]), client());
    let address = in_front_of(server.address(), shown);
    let variables = [("S3_ENDPOINT", endpoint(address)), ("AWS_CA_BUNDLE", other.ca().to_str().unwrap().to_owned())];
    let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
    let said = run(&bed, &variables, &["ls"]);
    assert_eq!(said.code, Some(7), "{said:?}");
    insta::assert_snapshot!(told(&said, &[address]));
}

#[test]
fn files_that_hold_no_authority_are_named() {
    let bed = client();
    bed.write("empty.pem", b"");
    let mut all = String::new();
    for (name, value) in [
        ("SSL_CERT_FILE", "/nonexistent/ca.pem"),
        ("SSL_CERT_FILE", "empty.pem"),
        ("SSL_CERT_DIR", "/nonexistent"),
        ("AWS_CA_BUNDLE", "/nonexistent/ca.pem"),
    ] {
        let said = run(&bed, &[("S3_ENDPOINT", "https://localhost:9"), (name, value)], &["ls"]);
        all += &format!("{name}={value}\n{}\n\n", told(&said, &[]));
    }
    insta::assert_snapshot!(all);
}

/// Answers a ClientHello with these bytes; gives the ClientHello.
fn once(answer: Vec<u8>) -> (SocketAddr, thread::JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let mut first = Vec::new();
        // The command tries more than once.
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            let mut record = [0; 5];
            if stream.read_exact(&mut record).is_err() {
                break;
            }
            let mut hello = vec![0; usize::from(u16::from_be_bytes([record[3], record[4]]))];
            stream.read_exact(&mut hello).unwrap();
            if first.is_empty() {
                first = hello;
            }
            stream.write_all(&answer).unwrap();
            let _ = stream.read_to_end(&mut Vec::new());
        }
        first
    });
    (address, server)
}

fn stop(address: SocketAddr, server: thread::JoinHandle<Vec<u8>>) -> Vec<u8> {
    drop(std::net::TcpStream::connect(address).unwrap());
    server.join().unwrap()
}

/// The versions that a ClientHello offers: RFC 8446, 4.2.1.
fn versions(hello: &[u8]) -> Vec<u16> {
    let number = |at: usize| usize::from(u16::from_be_bytes([hello[at], hello[at + 1]]));
    // Type and length, version, random; then the session, the ciphers, the compressions.
    let mut at = 4 + 2 + 32;
    at += 1 + usize::from(hello[at]);
    at += 2 + number(at);
    at += 1 + usize::from(hello[at]) + 2;
    while number(at) != 43 {
        at += 4 + number(at + 2);
    }
    hello[at + 5..at + 4 + number(at + 2)].chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect()
}

#[test]
fn nothing_older_than_tls_1_2_is_offered_or_taken() {
    // A ServerHello of TLS 1.1 with TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA.
    let mut hello = vec![0x02, 0, 0, 38, 0x03, 0x02];
    hello.extend([7; 32]);
    hello.extend([0, 0xc0, 0x13, 0]);
    let mut record = vec![0x16, 0x03, 0x02, 0, u8::try_from(hello.len()).unwrap()];
    record.extend(hello);
    let bed: Bed = client();
    let (address, server) = once(record);
    let said = run(&bed, &[("S3_ENDPOINT", &endpoint(address))], &["ls"]);
    assert_eq!(versions(&stop(address, server)), [0x0304, 0x0303], "TLS 1.3 and 1.2");
    insta::assert_snapshot!(told(&said, &[address]));
}
