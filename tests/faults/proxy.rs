//! What lies between the command and a server: counts bytes, and can be cut, freeze, or be slow.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

/// How it is at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Open,
    /// Connections are closed, new ones as soon as they are made.
    Cut,
    /// Nothing moves; connections stay.
    Frozen,
    /// So many bytes a second on all connections together.
    Slow(u32),
    Ended,
}

struct State {
    way: Way,
    passed: u64,
    connections: Vec<TcpStream>,
}

type Shared = Arc<(Mutex<State>, Condvar)>;

pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Shared,
}

impl Proxy {
    /// In front of `server`, such as `http://127.0.0.1:9000`.
    pub(crate) fn start(server: &str) -> Self {
        let server: SocketAddr = server.trim_start_matches("http://").parse().unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let state = State { way: Way::Open, passed: 0, connections: Vec::new() };
        let shared: Shared = Arc::new((Mutex::new(state), Condvar::new()));
        let accepting = shared.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(client) = client else { continue };
                let mut state = accepting.0.lock().unwrap();
                match state.way {
                    Way::Ended => return,
                    Way::Cut => continue,
                    Way::Open | Way::Frozen | Way::Slow(_) => {}
                }
                // A server that is not there closes the connection, as a cut does.
                let Ok(server) = TcpStream::connect(server) else { continue };
                state.connections.extend([client.try_clone().unwrap(), server.try_clone().unwrap()]);
                drop(state);
                for (from, to) in [(client.try_clone().unwrap(), server.try_clone().unwrap()), (server, client)] {
                    let shared = accepting.clone();
                    thread::spawn(move || pass(&from, &to, &shared));
                }
            }
        });
        Proxy { address, shared }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn set(&self, way: Way) {
        let mut state = self.shared.0.lock().unwrap();
        state.way = way;
        if matches!(way, Way::Cut | Way::Ended) {
            for connection in state.connections.drain(..) {
                let _ = connection.shutdown(Shutdown::Both);
            }
        }
        drop(state);
        self.shared.1.notify_all();
    }

    /// Bytes so far, both ways.
    pub(crate) fn passed(&self) -> u64 {
        self.shared.0.lock().unwrap().passed
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.set(Way::Ended);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

fn pass(mut from: &TcpStream, mut to: &TcpStream, shared: &Shared) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let (state, changed) = &**shared;
        let mut state = changed.wait_while(state.lock().unwrap(), |state| state.way == Way::Frozen).unwrap();
        state.passed += count as u64;
        if let Way::Slow(rate) = state.way {
            // Held, so that all connections share the rate.
            thread::sleep(Duration::from_secs_f64(count as f64 / f64::from(rate)));
        }
        drop(state);
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
