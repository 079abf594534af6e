//! A scripted S3 server on raw TCP: a small store in memory, and rules that say which answers go wrong, and how.
//!
//! ```no_run
//! let server = Faulty::start([Rule::nth(1, Operation::Complete, Action::Lose)]);
//! // ... put something to `server.endpoint()`, bucket `BUCKET` ...
//! assert_eq!(server.requests(Operation::Complete).len(), 1);
//! ```
//!
//! It speaks path style, virtual-host style where the host begins with the bucket's name, and believes every signature.

mod answering;
mod http;
mod rule;
mod store;
mod sums;
mod uploads;

use std::io::{self, BufReader, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Child;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

pub use self::answering::Answering;
pub use self::http::{Request, Response};
pub use self::rule::{Action, Meanwhile, Operation, Place, Rule};
use self::store::Store;
pub use self::sums::Sums;

/// The only bucket.
pub const BUCKET: &str = "checkpoints";
/// How often it is looked whether a child that is waited for has ended.
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);
/// Longer than anything takes that comes at all.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server; it ends, with all its connections, when this is dropped.
pub struct Faulty {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    /// Told when `released` changes.
    gate: Condvar,
    /// Told when a request has arrived, and when one was carried out.
    news: Condvar,
}

struct State {
    rules: Vec<Rule>,
    store: Store,
    requests: Vec<Request>,
    connections: Vec<TcpStream>,
    base: String,
    released: bool,
    stopped: bool,
}

impl Faulty {
    /// A server with an empty bucket. Of the rules that match a request, the first that is due applies.
    pub fn start(rules: impl IntoIterator<Item = Rule>) -> Self {
        Faulty::on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap(), rules)
    }

    /// The same here.
    pub fn on(listener: TcpListener, rules: impl IntoIterator<Item = Rule>) -> Self {
        let address = listener.local_addr().unwrap();
        let state = State {
            rules: rules.into_iter().collect(),
            store: Store::default(),
            requests: Vec::new(),
            connections: Vec::new(),
            base: String::new(),
            released: false,
            stopped: false,
        };
        let shared = Arc::new(Shared { state: Mutex::new(state), gate: Condvar::new(), news: Condvar::new() });
        let accepting = shared.clone();
        thread::spawn(move || accepting.accept(&listener));
        Faulty { address, shared }
    }

    /// Such as `http://127.0.0.1:40123`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From here on the bucket is below this path, such as `/gateway/s3`.
    pub fn below(&self, path: &str) {
        path.clone_into(&mut self.shared.lock().base);
    }

    /// A rule more, which counts from here on.
    pub fn add(&self, rule: Rule) {
        self.shared.lock().rules.push(rule);
    }

    /// What the server does about checksums from here on; at first it keeps them.
    pub fn sums(&self, sums: Sums) {
        self.shared.lock().store.sums = sums;
    }

    /// The server knows DeleteObjects from here on; at first it does not, as some do not.
    pub fn deletes_many(&self) {
        self.shared.lock().store.deletes_many = true;
    }

    /// Puts an object there without a request.
    pub fn put_object(&self, key: &str, content: &[u8]) {
        self.shared.lock().store.put_object(key, content);
    }

    /// The bucket's lifecycle as it was last written.
    pub fn lifecycle(&self) -> Option<String> {
        self.shared.lock().store.lifecycle.clone()
    }

    /// Gives the bucket a lifecycle without a request.
    pub fn set_lifecycle(&self, xml: &str) {
        self.shared.lock().store.lifecycle = Some(xml.to_owned());
    }

    /// Takes an object away without a request.
    pub fn remove_object(&self, key: &str) {
        self.shared.lock().store.objects.remove(key);
    }

    /// Every key, in order.
    pub fn keys(&self) -> Vec<String> {
        self.shared.lock().store.objects.keys().cloned().collect()
    }

    /// What is there.
    pub fn object(&self, key: &str) -> Option<Vec<u8>> {
        self.shared.lock().store.content(key)
    }

    /// The keys of multipart uploads in progress.
    pub fn uploads(&self) -> Vec<String> {
        self.shared.lock().store.uploads_in_progress()
    }

    /// Aborts every upload in progress, as a lifecycle rule does.
    pub fn abort_all(&self) {
        self.shared.lock().store.uploads.clear();
    }

    /// The requests of one kind so far, in the order of their arrival.
    pub fn requests(&self, operation: Operation) -> Vec<Request> {
        let is_one = |request: &&Request| operation.is(request);
        self.shared.lock().requests.iter().filter(is_one).cloned().collect()
    }

    /// How many there were of one kind so far: for waits, since nothing is copied.
    pub fn count(&self, operation: Operation) -> usize {
        self.shared.lock().requests.iter().filter(|request| operation.is(request)).count()
    }

    /// Waits until so many requests of one kind have arrived from `child`.
    ///
    /// # Panics
    /// When the child ends before.
    pub fn await_requests(&self, operation: Operation, count: usize, child: &mut Child) {
        loop {
            let ended = child.try_wait().unwrap();
            let too_few =
                |state: &mut State| state.requests.iter().filter(|request| operation.is(request)).count() < count;
            // A child that ends tells nobody here.
            let (state, waited) =
                self.shared.news.wait_timeout_while(self.shared.lock(), BETWEEN_LOOKS, too_few).unwrap();
            drop(state);
            if !waited.timed_out() {
                return;
            }
            assert!(ended.is_none(), "{ended:?} before request {count} of {operation:?}");
        }
    }

    /// Waits until an object is there whose key ends so.
    ///
    /// # Panics
    /// When that does not come to be.
    pub fn await_object(&self, end: &str) {
        let missing = |state: &mut State| !state.store.objects.keys().any(|key| key.ends_with(end));
        let (state, waited) = self.shared.news.wait_timeout_while(self.shared.lock(), PATIENCE, missing).unwrap();
        drop(state);
        assert!(!waited.timed_out(), "no {end}");
    }

    /// What goes wrong from here on.
    pub fn set_rules(&self, rules: impl IntoIterator<Item = Rule>) {
        self.shared.lock().rules = rules.into_iter().collect();
    }

    /// Nothing goes wrong from here on.
    pub fn heal(&self) {
        self.shared.lock().rules.clear();
        self.release();
    }

    /// Lets all stalled answers go on, now and from here on.
    pub fn release(&self) {
        self.shared.lock().released = true;
        self.shared.gate.notify_all();
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.stopped = true;
        for connection in state.connections.drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
        drop(state);
        self.shared.gate.notify_all();
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn accept(self: Arc<Self>, listener: &TcpListener) {
        for (number, stream) in listener.incoming().enumerate() {
            let Ok(stream) = stream else { continue };
            let mut state = self.lock();
            if state.stopped {
                return;
            }
            state.connections.push(stream.try_clone().unwrap());
            drop(state);
            let shared = self.clone();
            // A client that goes away ends its connection with an error, which is as it should be.
            thread::spawn(move || shared.serve(&stream, number));
        }
    }

    fn serve(&self, stream: &TcpStream, connection: usize) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut reader = BufReader::new(stream);
        while let Some(mut request) = http::read_head(&mut reader, connection)? {
            request.base = self.lock().base.clone();
            let action = self.decide(&request);
            let arrived = match action {
                Some(Action::Reset | Action::Deaf) => Ok(()),
                Some(Action::ResetInside(most)) => http::read_body(&mut reader, &mut request, stream, most),
                _ => http::read_body(&mut reader, &mut request, stream, u64::MAX),
            };
            if let (Some(Action::Flip), Some(byte)) = (&action, request.body.first_mut()) {
                *byte ^= 1;
            }
            self.lock().requests.push(request.clone());
            self.news.notify_all();
            arrived?;
            if !self.answer(stream, &request, action)? {
                break;
            }
        }
        stream.shutdown(Shutdown::Both)
    }

    fn decide(&self, request: &Request) -> Option<Action> {
        // Every rule counts, also those behind the one that applies.
        let due: Vec<Action> = self.lock().rules.iter_mut().filter_map(|rule| rule.due(request)).collect();
        due.into_iter().next()
    }

    /// Answers a request; true where the connection stays open.
    fn answer(&self, mut stream: &TcpStream, request: &Request, action: Option<Action>) -> io::Result<bool> {
        let (bytes, cut) = match action {
            Some(Action::Reset | Action::ResetInside(_)) => return Ok(false),
            Some(Action::HangUp) => {
                let response = self.carry_out(request);
                send(stream, request, response)?;
                return Ok(false);
            }
            Some(Action::Meanwhile(what)) => {
                self.lock().store.meddle(&what);
                return send(stream, request, self.carry_out(request));
            }
            Some(Action::Ignore | Action::Deaf) => {
                self.wait();
                return Ok(false);
            }
            Some(Action::Late) => {
                self.wait();
                return send(stream, request, self.carry_out(request));
            }
            Some(Action::Raw(bytes)) => (bytes, None),
            Some(Action::Judge(judge)) => {
                let response = judge(request).unwrap_or_else(|| self.carry_out(request));
                return send(stream, request, response);
            }
            Some(Action::Answer(response)) => return send(stream, request, response),
            Some(Action::Change(change)) => {
                let mut response = self.carry_out(request);
                change(&mut response);
                return send(stream, request, response);
            }
            Some(Action::Alter(change)) => {
                let mut altered = request.clone();
                change(&mut altered);
                return send(stream, request, self.carry_out(&altered));
            }
            Some(Action::Lose) => {
                self.carry_out(request);
                return Ok(false);
            }
            Some(Action::Cut(place)) => {
                let response = self.carry_out(request);
                (place.before(&response).to_vec(), None)
            }
            Some(Action::Stall(place)) => {
                let response = self.carry_out(request);
                let before = place.before(&response);
                let rest = response.to_bytes()[before.len()..].to_vec();
                (before, Some(rest))
            }
            Some(Action::Flip) | None => return send(stream, request, self.carry_out(request)),
        };
        stream.write_all(&bytes)?;
        if let Some(rest) = cut {
            self.wait();
            stream.write_all(&rest)?;
            return Ok(true);
        }
        Ok(false)
    }

    fn carry_out(&self, request: &Request) -> Response {
        let response = self.lock().store.answer(request);
        self.news.notify_all();
        response
    }

    /// Until the server is told to go on or to end.
    fn wait(&self) {
        let waiting = |state: &mut State| !state.released && !state.stopped;
        drop(self.gate.wait_while(self.lock(), waiting).unwrap());
    }
}

/// Sends a whole answer; true where the connection stays open.
fn send(mut stream: &TcpStream, request: &Request, response: Response) -> io::Result<bool> {
    let response = if request.method == "HEAD" { response.without_body() } else { response };
    stream.write_all(&response.to_bytes())?;
    Ok(!response.ends_with_connection())
}
