#![allow(unreachable_pub, dead_code, reason = "tests of several crates share this file")]
//! A registry in this process: correct, until it is told to misbehave. It remembers what it was asked.

use std::{
    collections::BTreeMap,
    io::{self, BufRead, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread,
};

use blob::Digest;

/// What it holds.
#[derive(Default)]
pub struct State {
    /// `repository/digest`.
    pub blobs: BTreeMap<String, Vec<u8>>,
    /// `repository/digest`: media type and bytes.
    pub manifests: BTreeMap<String, (String, Vec<u8>)>,
    /// `repository:tag`.
    pub tags: BTreeMap<String, String>,
    /// By number.
    uploads: BTreeMap<usize, Vec<u8>>,
    next: usize,
    /// `METHOD path`, and bytes of the body that came.
    pub asked: Vec<(String, usize)>,
    /// Headers `Authorization` that came.
    pub shown: Vec<String>,
    faults: Vec<Fault>,
    /// Tokens that were given.
    pub tokens: usize,
    /// Whether a request hangs.
    hanging: bool,
}

/// What goes wrong once, with the first request that fits.
struct Fault {
    method: &'static str,
    path: String,
    act: Act,
}

#[derive(Clone)]
pub enum Act {
    /// This answer instead.
    Answer(u16, &'static [(&'static str, &'static str)], &'static str),
    /// The connection ends when so many bytes of the body came; they count.
    Cut(usize),
    /// It is done, and the answer is lost.
    Lose,
    /// It is done, and the answer has this header as well.
    Lie(&'static str, String),
    /// Nothing more is said after so many bytes; they count.
    Hang(usize),
}

/// Who is let in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Door {
    Open,
    Basic,
    /// Tokens, for `me` and `secret`.
    Token,
}

/// What it can do.
#[derive(Clone, Copy)]
pub struct Skills {
    pub door: Door,
    pub mount: bool,
    pub patch: bool,
    pub untag: bool,
    /// Whether it says of manifests what their digest is.
    pub digests: bool,
    /// `OCI-Chunk-Min-Length`.
    pub least: usize,
}

impl Default for Skills {
    fn default() -> Self {
        Self { door: Door::Open, mount: true, patch: true, untag: true, digests: true, least: 0 }
    }
}

pub struct Fake {
    pub host: String,
    state: Arc<(Mutex<State>, Condvar)>,
}

struct Request {
    method: String,
    path: String,
    query: BTreeMap<String, String>,
    headers: BTreeMap<String, String>,
}

type Answer = (u16, Vec<(String, String)>, Vec<u8>);

impl Fake {
    pub fn start(skills: Skills) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let state = Arc::<(Mutex<State>, Condvar)>::default();
        let fake = Self { host: host.clone(), state: state.clone() };
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (state, host) = (state.clone(), host.clone());
                // A client that goes away is no matter of the server's.
                thread::spawn(move || drop(serve(&stream, &state, &host, skills)));
            }
        });
        fake
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.0.lock().unwrap()
    }

    /// The next request of this method whose path contains `path` goes wrong.
    pub fn fault(&self, method: &'static str, path: &str, act: Act) {
        self.state().faults.push(Fault { method, path: path.to_owned(), act });
    }

    /// Waits until a request hangs.
    pub fn wait_until_it_hangs(&self) {
        let state = self.state();
        drop(self.state.1.wait_while(state, |state| !state.hanging).unwrap());
    }

    /// `METHOD path` of all requests so far, and forgets them.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.state().asked).into_iter().map(|(line, _)| line).collect()
    }

    /// How many bytes of blobs came so far.
    pub fn received(&self) -> usize {
        self.state().asked.iter().filter(|(line, _)| line.contains("/blobs/uploads/")).map(|(_, bytes)| bytes).sum()
    }

    pub fn tag(&self, name: &str) -> Option<String> {
        self.state().tags.get(name).cloned()
    }
}

fn serve(stream: &TcpStream, shared: &(Mutex<State>, Condvar), host: &str, skills: Skills) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let Some(request) = head(&mut reader)? else { return Ok(()) };
        let length: usize = request.headers.get("content-length").map_or(0, |length| length.parse().unwrap());
        let act = {
            let mut state = shared.0.lock().unwrap();
            let fits = |fault: &Fault| fault.method == request.method && request.path.contains(&fault.path);
            let at = state.faults.iter().position(fits);
            at.map(|at| state.faults.remove(at).act)
        };
        let cut = match act {
            Some(Act::Cut(bytes) | Act::Hang(bytes)) => bytes.min(length),
            _ => length,
        };
        let mut body = vec![0; cut];
        reader.read_exact(&mut body)?;
        let mut out = stream;
        let mut state = shared.0.lock().unwrap();
        let line = format!("{} {}", request.method, request.path);
        state.asked.push((line, body.len()));
        state.shown.extend(request.headers.get("authorization").cloned());
        let (status, mut headers, bytes) = match &act {
            Some(Act::Answer(status, headers, body)) => {
                let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
                (*status, headers, body.as_bytes().to_vec())
            }
            _ => answer(&mut state, &request, &body, host, skills),
        };
        let ends = matches!(&act, Some(Act::Lie("content-length", _)));
        match act {
            Some(Act::Cut(_) | Act::Lose) => return Err(io::ErrorKind::ConnectionAborted.into()),
            Some(Act::Hang(_)) => {
                state.hanging = true;
                shared.1.notify_all();
                drop(state);
                // Until the client leaves.
                return io::copy(&mut reader, &mut io::sink()).map(drop);
            }
            Some(Act::Lie(name, value)) => {
                headers.retain(|(other, _)| other != name);
                headers.push((name.to_owned(), value));
            }
            _ => {}
        }
        drop(state);
        write!(out, "HTTP/1.1 {status} It is\r\n")?;
        if !headers.iter().any(|(name, _)| name == "content-length") {
            headers.push(("content-length".to_owned(), bytes.len().to_string()));
        }
        for (name, value) in headers {
            write!(out, "{name}: {value}\r\n")?;
        }
        write!(out, "\r\n")?;
        if request.method != "HEAD" {
            out.write_all(&bytes)?;
        }
        if ends {
            return Ok(());
        }
    }
}

fn head(reader: &mut impl BufRead) -> io::Result<Option<Request>> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        if line.trim().is_empty() {
            break;
        }
        lines.push(line.trim().to_owned());
    }
    let mut words = lines[0].split(' ');
    let (method, target) = (words.next().unwrap().to_owned(), words.next().unwrap().to_owned());
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let query = pairs.map(|(name, value)| (name.to_owned(), value.replace("%3A", ":").replace("%2F", "/"))).collect();
    let headers = lines[1..].iter().filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
    Ok(Some(Request { method, path: path.to_owned(), query, headers }))
}

fn plain(status: u16) -> Answer {
    (status, Vec::new(), Vec::new())
}

fn error(status: u16, code: &str) -> Answer {
    let body = format!("{{\"errors\":[{{\"code\":\"{code}\",\"message\":\"no\"}}]}}");
    (status, vec![("content-type".to_owned(), "application/json".to_owned())], body.into_bytes())
}

fn with(status: u16, headers: &[(&str, String)]) -> Answer {
    (status, headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(), Vec::new())
}

fn answer(state: &mut State, request: &Request, body: &[u8], host: &str, skills: Skills) -> Answer {
    let shown = request.headers.get("authorization").map_or("", String::as_str);
    // me:secret
    let known = shown == "Basic bWU6c2VjcmV0";
    if request.path == "/token" {
        return token(state, request, body, known);
    }
    let Some((name, kind, reference)) = parts(&request.path) else { return plain(404) };
    let writes = !matches!(request.method.as_str(), "GET" | "HEAD");
    let allowed = match skills.door {
        Door::Open => true,
        Door::Basic => known,
        Door::Token => {
            let scope = format!("repository:{name}:{}", if writes { "pull,push" } else { "pull" });
            shown.strip_prefix("Bearer ").is_some_and(|token| token.split('|').any(|given| given.starts_with(&scope)))
        }
    };
    if !allowed {
        let challenge = match skills.door {
            Door::Token => {
                format!("Bearer realm=\"http://{host}/token\",service=\"fake\",scope=\"repository:{name}:pull\"")
            }
            _ => "Basic realm=\"fake\"".to_owned(),
        };
        let mut answer = error(401, "UNAUTHORIZED");
        answer.1.push(("www-authenticate".to_owned(), challenge));
        return answer;
    }
    match kind {
        "manifests" => manifests(state, request, body, name, reference, skills),
        "blobs" if reference.starts_with("uploads/") => uploads(state, request, body, name, reference, skills),
        _ => blobs(state, request, name, reference),
    }
}

fn token(state: &mut State, request: &Request, body: &[u8], known: bool) -> Answer {
    let form = String::from_utf8_lossy(body);
    let known = known || form.contains("refresh_token=refresh");
    if !known {
        return error(401, "UNAUTHORIZED");
    }
    state.tokens += 1;
    // Only the last `scope` of the query is in the map, so the raw text of all of them is not; the tests ask for few.
    let scopes = request.query.get("scope").cloned().unwrap_or_else(|| {
        let scope = form.split('&').find_map(|pair| pair.strip_prefix("scope=")).unwrap_or_default();
        scope.replace("%3A", ":").replace("%2C", ",").replace("%2F", "/")
    });
    let scopes = scopes.replace("%2C", ",").replace("%20", "|");
    (200, Vec::new(), format!("{{\"token\":\"{scopes}\",\"expires_in\":300}}").into_bytes())
}

/// `/v2/NAME/KIND/REFERENCE`.
fn parts(path: &str) -> Option<(&str, &str, &str)> {
    let rest = path.strip_prefix("/v2/")?;
    ["manifests", "blobs"].into_iter().find_map(|kind| {
        let at = rest.find(&format!("/{kind}/"))?;
        Some((&rest[..at], kind, &rest[at + kind.len() + 2..]))
    })
}

fn manifests(state: &mut State, request: &Request, body: &[u8], name: &str, reference: &str, skills: Skills) -> Answer {
    match request.method.as_str() {
        "PUT" => {
            let digest = Digest::of(body).to_string();
            let media_type = request.headers.get("content-type").cloned().unwrap_or_default();
            state.manifests.insert(format!("{name}/{digest}"), (media_type, body.to_vec()));
            if !reference.contains(':') {
                state.tags.insert(format!("{name}:{reference}"), digest.clone());
            }
            with(201, &[("docker-content-digest", digest)])
        }
        "DELETE" if !skills.untag => error(405, "UNSUPPORTED"),
        "DELETE" => plain(if state.tags.remove(&format!("{name}:{reference}")).is_some() { 202 } else { 404 }),
        _ => {
            let tagged = state.tags.get(&format!("{name}:{reference}")).cloned();
            let digest = tagged.unwrap_or_else(|| reference.to_owned());
            let Some((media_type, bytes)) = state.manifests.get(&format!("{name}/{digest}")) else {
                return error(404, "MANIFEST_UNKNOWN");
            };
            let mut answer = with(200, &[("content-type", media_type.clone())]);
            if skills.digests {
                answer.1.push(("docker-content-digest".to_owned(), digest));
            }
            answer.2 = bytes.clone();
            answer
        }
    }
}

fn blobs(state: &State, request: &Request, name: &str, reference: &str) -> Answer {
    let Some(bytes) = state.blobs.get(&format!("{name}/{reference}")) else { return error(404, "BLOB_UNKNOWN") };
    let from =
        request.headers.get("range").and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    match from.filter(|from: &usize| *from < bytes.len()) {
        Some(from) => {
            let range = format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len());
            let mut answer = with(206, &[("content-range", range)]);
            answer.2 = bytes[from..].to_vec();
            answer
        }
        None => (200, Vec::new(), bytes.clone()),
    }
}

fn uploads(state: &mut State, request: &Request, body: &[u8], name: &str, reference: &str, skills: Skills) -> Answer {
    let location = |number: usize| format!("/v2/{name}/blobs/uploads/{number}?state=s3cret");
    let range = |bytes: &[u8]| format!("0-{}", bytes.len().saturating_sub(1));
    if request.method == "POST" {
        if let (true, Some(digest), Some(from)) = (skills.mount, request.query.get("mount"), request.query.get("from"))
            && let Some(bytes) = state.blobs.get(&format!("{from}/{digest}")).cloned()
        {
            state.blobs.insert(format!("{name}/{digest}"), bytes);
            return with(201, &[("location", format!("/v2/{name}/blobs/{digest}"))]);
        }
        state.next += 1;
        let number = state.next;
        state.uploads.insert(number, Vec::new());
        let mut answer = with(202, &[("location", location(number)), ("range", "0-0".to_owned())]);
        if skills.least > 0 {
            answer.1.push(("oci-chunk-min-length".to_owned(), skills.least.to_string()));
        }
        return answer;
    }
    let number: usize = reference.trim_start_matches("uploads/").parse().unwrap_or(0);
    let Some(upload) = state.uploads.get_mut(&number) else { return error(404, "BLOB_UPLOAD_UNKNOWN") };
    match request.method.as_str() {
        "GET" => with(204, &[("location", location(number)), ("range", range(upload))]),
        "PATCH" if !skills.patch => error(405, "UNSUPPORTED"),
        "PATCH" => {
            let start = request.headers.get("content-range").and_then(|range| range.split('-').next()?.parse().ok());
            if start != Some(upload.len()) {
                return with(416, &[("location", location(number)), ("range", range(upload))]);
            }
            upload.extend_from_slice(body);
            with(202, &[("location", location(number)), ("range", range(upload))])
        }
        _ => {
            let mut bytes = std::mem::take(upload);
            bytes.extend_from_slice(body);
            let announced: usize = request.headers.get("content-length").map_or(0, |length| length.parse().unwrap());
            if body.len() < announced {
                // A body that was cut ends nothing.
                return plain(500);
            }
            state.uploads.remove(&number);
            let digest = Digest::of(&bytes).to_string();
            if request.query.get("digest") != Some(&digest) {
                return error(400, "DIGEST_INVALID");
            }
            state.blobs.insert(format!("{name}/{digest}"), bytes);
            with(201, &[("docker-content-digest", digest)])
        }
    }
}
