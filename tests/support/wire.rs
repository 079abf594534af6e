//! What lies between the command and a server: counts bytes, holds them at a place of a test's choice, and can be cut,
//! freeze, or be slow.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// How it is at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
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
    /// Nothing passes once so many bytes have.
    gate: u64,
    /// When the next bytes have their turn where it is slow.
    turn: Instant,
    connections: Vec<TcpStream>,
}

type Shared = Arc<(Mutex<State>, Condvar)>;

pub struct Wire {
    address: SocketAddr,
    shared: Shared,
}

impl Wire {
    /// In front of `server`, such as `http://127.0.0.1:9000`.
    pub fn start(server: &str) -> Self {
        let server: SocketAddr = server.trim_start_matches("http://").parse().unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (passed, gate, turn) = (0, u64::MAX, Instant::now());
        let state = State { way: Way::Open, passed, gate, turn, connections: Vec::new() };
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
        Wire { address, shared }
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn set(&self, way: Way) {
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

    /// From here on `bytes` more pass, both ways together and a few too many, and then nothing until [`open`](Self::open).
    pub fn gate_after(&self, bytes: u64) {
        let mut state = self.shared.0.lock().unwrap();
        state.gate = state.passed + bytes;
    }

    /// Whether the gate is reached within this time.
    pub fn reaches_gate(&self, time: Duration) -> bool {
        let (state, changed) = &*self.shared;
        let waiting = |state: &mut State| state.passed < state.gate;
        !changed.wait_timeout_while(state.lock().unwrap(), time, waiting).unwrap().1.timed_out()
    }

    /// Lets everything pass again.
    pub fn open(&self) {
        self.shared.0.lock().unwrap().gate = u64::MAX;
        self.shared.1.notify_all();
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.set(Way::Ended);
        self.open();
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

fn pass(mut from: &TcpStream, mut to: &TcpStream, shared: &Shared) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let (state, changed) = &**shared;
        let is_held = |state: &mut State| state.way == Way::Frozen || state.passed >= state.gate;
        let mut state = changed.wait_while(state.lock().unwrap(), is_held).unwrap();
        state.passed += count as u64;
        let mut turn = Instant::now();
        if let Way::Slow(rate) = state.way {
            // One turn after the other over all connections, so that they share the rate.
            turn = turn.max(state.turn);
            state.turn = turn + Duration::from_secs_f64(count as f64 / f64::from(rate));
        }
        let is_at_gate = state.passed >= state.gate;
        drop(state);
        if is_at_gate {
            changed.notify_all();
        }
        thread::sleep(turn.saturating_duration_since(Instant::now()));
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
