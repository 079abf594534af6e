//! What the integration tests stand on. Each test binary uses a part of it.
#![allow(dead_code, unused_imports, unreachable_pub, clippy::unwrap_used, clippy::expect_used)]

pub mod bed;
pub mod faulty;
pub mod minio;
pub mod moto;
pub mod nobody;
pub mod proxy;
pub mod s5cmd;
pub mod terminal;
pub mod tls;
pub mod tool;
pub mod wire;
