//! An address that refuses connections, and a name that stands for none.

use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, Socket, Type};

/// A host that the resolver refuses without asking anybody, so that it takes no time and no network: the first label of its
/// name is longer than 63 bytes (RFC 1035, 2.3.4).
pub const NO_HOST: &str = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.invalid";

/// A port of this machine that is taken, so that nobody else comes to listen there, and that nobody listens at.
pub struct Nobody {
    address: SocketAddr,
    _taken: Socket,
}

impl Nobody {
    pub fn bind() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        Nobody { address: socket.local_addr().unwrap().as_socket().unwrap(), _taken: socket }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Such as `http://127.0.0.1:40123`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }
}
