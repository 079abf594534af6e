//! The way to a bucket: TLS, proxies, Amazon's endpoints, regions, styles of addresses.
#![cfg(all(feature = "s3", feature = "cli"))]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../support/mod.rs"]
mod support;

mod addresses;
mod amazon;
mod check;
mod proxies;
mod regions;
mod tls;
mod warned;

use std::net::SocketAddr;

use support::bed::{self, Bed, Said};
use support::faulty::{BUCKET, Faulty};
use support::minio::authority::Authority;
use support::tls::{VALID, in_front_of};

/// A host that nobody can resolve, so that it is reached through a proxy or not at all.
const HOST: &str = "s3.test.internal";

/// A scripted server, TLS in front of it, and who vouches for that.
struct Secure {
    server: Faulty,
    authority: Authority,
    address: SocketAddr,
}

impl Secure {
    /// With a certificate for these names.
    fn for_names(names: &[&str]) -> Self {
        let (server, authority) = (Faulty::start([]), Authority::new());
        let address = in_front_of(server.address(), authority.certificate(names, VALID));
        Secure { server, authority, address }
    }

    fn ca(&self) -> &str {
        self.authority.ca().to_str().unwrap()
    }
}

/// The command with a store in the environment and nothing else, and a file to put.
fn client() -> Bed {
    let variables = [
        ("STORAGE_BACKEND", "s3"),
        ("CHECKPOINT_BUCKET", BUCKET),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
    ];
    let bed = bed::with(variables.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec());
    bed.write("model.bin", b"weights");
    bed
}

fn run(bed: &Bed, variables: &[(&str, &str)], arguments: &[&str]) -> Said {
    bed::said(bed.command(arguments).envs(variables.iter().copied()).output().unwrap())
}

fn ok(bed: &Bed, variables: &[(&str, &str)], arguments: &[&str]) -> Said {
    let said = run(bed, variables, arguments);
    assert_eq!(said.code, Some(0), "{variables:?} {arguments:?}: {said:?}");
    said
}

/// Exit code and stderr without retries, whose number depends on the time they take, and without this run's ports.
fn told(said: &Said, ports: &[SocketAddr]) -> String {
    let lines = said.stderr.lines().filter(|line| !line.contains("; trying again in "));
    let mut text = format!("exit {}\n{}", said.code.unwrap(), lines.collect::<Vec<_>>().join("\n"));
    for port in ports {
        text = text.replace(&port.port().to_string(), "PORT");
    }
    assert!(said.stdout.is_empty(), "{said:?}");
    text
}

/// There and back.
fn round_trip(bed: &Bed, variables: &[(&str, &str)]) {
    ok(bed, variables, &["put", "model.bin"]);
    let listed = ok(bed, variables, &["ls"]);
    assert!(String::from_utf8_lossy(&listed.stdout).contains("model.bin"), "{listed:?}");
    ok(bed, variables, &["get", "model.bin", "back.bin"]);
    assert_eq!(bed.read("back.bin"), b"weights");
    ok(bed, variables, &["rm", "model.bin"]);
}
