//! A server whose every byte the test decides on, and which remembers what it was asked.

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// What was asked.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// The request target as sent: a path, an absolute URL or `host:port`.
    pub(crate) target: String,
    /// By lower-case name.
    pub(crate) headers: BTreeMap<String, String>,
    /// How many requests for this target came before.
    pub(crate) nth: usize,
}

impl Asked {
    /// The offset of `Range: bytes=N-`.
    pub(crate) fn offset(&self) -> Option<usize> {
        self.headers.get("range")?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
    }
}

pub(crate) trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

/// The server's end of a connection.
pub(crate) struct Conn {
    pub(crate) stream: Box<dyn Stream>,
}

type Handler = dyn Fn(&Asked, &mut Conn) -> io::Result<()> + Send + Sync;
type Wrap = dyn Fn(TcpStream) -> Box<dyn Stream> + Send + Sync;

pub(crate) struct Server {
    port: u16,
    scheme: &'static str,
    asked: Arc<Mutex<Vec<Asked>>>,
    stop: Arc<AtomicBool>,
}

impl Server {
    /// Serves plain HTTP. `handler` answers each request; a connection ends when it fails or the client leaves.
    pub(crate) fn start(handler: impl Fn(&Asked, &mut Conn) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self::start_with("http", |stream| Box::new(stream), handler)
    }

    /// Serves HTTP over what `wrap` makes of a connection.
    pub(crate) fn start_with(
        scheme: &'static str,
        wrap: impl Fn(TcpStream) -> Box<dyn Stream> + Send + Sync + 'static,
        handler: impl Fn(&Asked, &mut Conn) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let stop = Arc::<AtomicBool>::default();
        let (wrap, handler): (Arc<Wrap>, Arc<Handler>) = (Arc::new(wrap), Arc::new(handler));
        thread::spawn({
            let (asked, stop) = (asked.clone(), stop.clone());
            move || {
                for stream in listener.incoming() {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let Ok(stream) = stream else { continue };
                    let (asked, wrap, handler) = (asked.clone(), wrap.clone(), handler.clone());
                    thread::spawn(move || serve(&mut Conn { stream: wrap(stream) }, &asked, &*handler));
                }
            }
        });
        Self { port, scheme, asked, stop }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}://127.0.0.1:{}{path}", self.scheme, self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// All requests so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The targets of all requests so far.
    pub(crate) fn targets(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.target).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn serve(conn: &mut Conn, asked: &Mutex<Vec<Asked>>, handler: &Handler) {
    while let Ok(Some(mut request)) = conn.request() {
        {
            let mut asked = asked.lock().unwrap();
            request.nth = asked.iter().filter(|earlier| earlier.target == request.target).count();
            asked.push(request.clone());
        }
        if handler(&request, conn).is_err() {
            return;
        }
    }
}

/// Ends the connection.
pub(crate) fn hang_up() -> io::Result<()> {
    Err(io::ErrorKind::ConnectionAborted.into())
}

impl Conn {
    fn request(&mut self) -> io::Result<Option<Asked>> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            if self.stream.read(&mut byte)? == 0 {
                return Ok(None);
            }
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.lines();
        let mut words = lines.next().unwrap().split(' ');
        let (method, target) = (words.next().unwrap().to_owned(), words.next().unwrap().to_owned());
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
        Ok(Some(Asked { method, target, headers, nth: 0 }))
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)?;
        self.stream.flush()
    }

    /// An answer with these headers (lines without line ends) and this body; its length is announced.
    pub(crate) fn answer(&mut self, status: &str, headers: &[&str], body: &[u8]) -> io::Result<()> {
        self.head(status, headers, body.len())?;
        self.send(body)
    }

    pub(crate) fn head(&mut self, status: &str, headers: &[&str], length: usize) -> io::Result<()> {
        let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
        self.send(format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n").as_bytes())
    }

    /// The file `body`, as a server with ranges gives it, up to `end` of it; then the connection is cut, unless that
    /// was all.
    pub(crate) fn file_until(&mut self, asked: &Asked, body: &[u8], headers: &[&str], end: usize) -> io::Result<()> {
        let start = asked.offset().unwrap_or(0);
        if start > body.len() || (start == body.len() && start > 0) {
            let range = format!("Content-Range: bytes */{}", body.len());
            return self.answer("416 Range Not Satisfiable", &[&range], b"");
        }
        let range = format!("Content-Range: bytes {start}-{}/{}", body.len().saturating_sub(1), body.len());
        let headers: Vec<&str> = headers.iter().copied().chain([range.as_str()]).collect();
        match asked.offset() {
            Some(_) => self.head("206 Partial Content", &headers, body.len() - start)?,
            None => self.head("200 OK", &headers[..headers.len() - 1], body.len())?,
        }
        let end = end.min(body.len());
        self.send(&body[start.min(end)..end])?;
        if end < body.len() { hang_up() } else { Ok(()) }
    }

    /// The file `body`, as a server with ranges gives it.
    pub(crate) fn file(&mut self, asked: &Asked, body: &[u8]) -> io::Result<()> {
        self.file_until(asked, body, &[], body.len())
    }

    /// Says nothing more until the client leaves.
    pub(crate) fn stall(&mut self) -> io::Result<()> {
        let mut byte = [0];
        while self.stream.read(&mut byte)? > 0 {}
        hang_up()
    }
}
