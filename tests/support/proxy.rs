//! A small HTTP proxy: tunnels for CONNECT, passes on what is asked for by a whole URL, and keeps a record of both. It takes
//! every name for that of one server, so that a name that nobody can resolve shows that it was used.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What the proxy was asked for.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    /// `host:port` with CONNECT, else a whole URL.
    pub target: String,
    pub authorization: Option<String>,
}

/// How it answers.
#[derive(Clone, Debug)]
pub enum Manner {
    Open,
    /// Only with this `Proxy-Authorization`.
    Asks(&'static str),
    /// Always with this status.
    Refuses(&'static str),
    /// Not at all.
    Silent,
    /// Closes the connection.
    HangsUp,
    /// With bytes of its own behind a success.
    Chatters,
}

pub struct Proxy {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Proxy {
    /// In front of this server, until the test process ends.
    pub fn start(server: SocketAddr, manner: Manner) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let record = asked.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (record, manner) = (record.clone(), manner.clone());
                // A client that goes away ends its connection with an error, which is as it should be.
                thread::spawn(move || serve(&client, server, &manner, &record));
            }
        });
        Proxy { address, asked }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Everything so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The targets of tunnels so far, each once.
    pub fn tunnels(&self) -> Vec<String> {
        let mut targets: Vec<String> =
            self.asked().into_iter().filter(|asked| asked.method == "CONNECT").map(|asked| asked.target).collect();
        targets.sort();
        targets.dedup();
        targets
    }
}

/// The lines of a head, without the empty one; `None` at the end of the connection.
fn head(reader: &mut impl BufRead) -> io::Result<Option<Vec<String>>> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        match line.trim_end() {
            "" => return Ok(Some(lines)),
            line => lines.push(line.to_owned()),
        }
    }
}

fn field<'a>(lines: &'a [String], name: &str) -> Option<&'a str> {
    let mut fields = lines.iter().skip(1).filter_map(|line| line.split_once(':'));
    fields.find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

fn length(lines: &[String]) -> u64 {
    field(lines, "content-length").map_or(0, |text| text.parse().unwrap())
}

fn serve(mut client: &TcpStream, server: SocketAddr, manner: &Manner, record: &Mutex<Vec<Asked>>) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut reader = BufReader::new(client);
    let mut onward: Option<BufReader<TcpStream>> = None;
    while let Some(lines) = head(&mut reader)? {
        let mut words = lines[0].split(' ').map(str::to_owned);
        let (method, target) = (words.next().unwrap(), words.next().unwrap());
        let authorization = field(&lines, "proxy-authorization").map(str::to_owned);
        let asked = Asked { method: method.clone(), target: target.clone(), authorization: authorization.clone() };
        record.lock().unwrap().push(asked);
        let refusal = match manner {
            Manner::Asks(right) if authorization.as_deref() != Some(*right) => {
                Some("407 Proxy Authentication Required")
            }
            Manner::Refuses(status) => Some(*status),
            Manner::HangsUp => return client.shutdown(Shutdown::Both),
            // Until the client goes away.
            Manner::Silent => return io::copy(&mut reader, &mut io::sink()).map(|_| ()),
            _ => None,
        };
        if let Some(status) = refusal {
            io::copy(&mut reader.by_ref().take(length(&lines)), &mut io::sink())?;
            let page = "<html><body>no</body></html>";
            let fields =
                format!("content-type: text/html\r\nproxy-authenticate: Basic\r\ncontent-length: {}", page.len());
            client.write_all(format!("HTTP/1.1 {status}\r\n{fields}\r\n\r\n{page}").as_bytes())?;
            continue;
        }
        if method == "CONNECT" {
            let more = if matches!(manner, Manner::Chatters) { "hello" } else { "" };
            client.write_all(format!("HTTP/1.1 200 Connection established\r\n\r\n{more}").as_bytes())?;
            return tunnel(client, TcpStream::connect(server)?);
        }
        if onward.is_none() {
            onward = Some(BufReader::new(TcpStream::connect(server)?));
        }
        let onward = onward.as_mut().unwrap();
        let path = target.strip_prefix("http://").expect("a whole URL").split_once('/').map_or("", |(_, path)| path);
        let mut text = format!("{method} /{path} HTTP/1.1\r\n");
        for line in lines.iter().skip(1).filter(|line| !line.to_ascii_lowercase().starts_with("proxy-")) {
            text += &format!("{line}\r\n");
        }
        onward.get_mut().write_all((text + "\r\n").as_bytes())?;
        io::copy(&mut reader.by_ref().take(length(&lines)), onward.get_mut())?;
        let Some(answer) = head(onward)? else { break };
        client.write_all((answer.join("\r\n") + "\r\n\r\n").as_bytes())?;
        let len = if method == "HEAD" { 0 } else { length(&answer) };
        io::copy(&mut onward.take(len), &mut client)?;
    }
    client.shutdown(Shutdown::Both)
}

fn tunnel(client: &TcpStream, server: TcpStream) -> io::Result<()> {
    let (mut up, mut down) = ((client.try_clone()?, server.try_clone()?), (server, client.try_clone()?));
    thread::spawn(move || {
        let _ = io::copy(&mut up.0, &mut up.1);
        let _ = up.1.shutdown(Shutdown::Both);
    });
    let _ = io::copy(&mut down.0, &mut down.1);
    down.1.shutdown(Shutdown::Both)
}
