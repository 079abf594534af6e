//! A server that is no store: a function answers each request. For what stands around S3: token services, metadata.

use std::io::{self, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use super::http::{self, Request, Response};

/// What a request is answered; `None`: nothing, and the connection stays open.
type Answers = dyn Fn(&Request) -> Option<Response> + Send + Sync;

/// A running server. Its thread ends with the test process.
pub struct Answering {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Answering {
    pub fn start(answers: impl Fn(&Request) -> Option<Response> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (kept, answers): (_, Arc<Answers>) = (requests.clone(), Arc::new(answers));
        thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let Ok(stream) = stream else { continue };
                let (kept, answers) = (kept.clone(), answers.clone());
                thread::spawn(move || serve(&stream, number, &kept, &*answers));
            }
        });
        Answering { address, requests }
    }

    /// Such as `http://127.0.0.1:40123`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What was asked so far, in the order of arrival.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

fn serve(mut stream: &TcpStream, number: usize, kept: &Mutex<Vec<Request>>, answers: &Answers) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    while let Some(mut request) = http::read_head(&mut reader, number)? {
        http::read_body(&mut reader, &mut request, stream, u64::MAX)?;
        kept.lock().unwrap().push(request.clone());
        if let Some(response) = answers(&request) {
            stream.write_all(&response.to_bytes())?;
        }
    }
    Ok(())
}
