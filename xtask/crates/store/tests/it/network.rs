//! Redirects, proxies and certificates, against servers on this machine that stand for the world.

use std::{
    io::{self, Write as _},
    net::{Shutdown, TcpStream},
};

use store::{Auth, Http, HttpOptions, Location, Proxies, Route};

use crate::{
    helpers::{NOWHERE, assert_fetched, bytes, failure, http, options, temp, wanted},
    server::{Conn, Server, hang_up},
    tls::https,
};

/// Answers CONNECT by joining the client with the server at `port`.
fn tunnel(conn: &mut Conn, port: u16, client: TcpStream) -> io::Result<()> {
    let mut upstream = TcpStream::connect(("127.0.0.1", port))?;
    conn.send(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
    let (mut from_client, mut to_upstream) = (client.try_clone()?, upstream.try_clone()?);
    std::thread::spawn(move || {
        let _ = io::copy(&mut from_client, &mut to_upstream);
        let _ = to_upstream.shutdown(Shutdown::Write);
    });
    let _ = io::copy(&mut upstream, &mut conn.stream);
    client.shutdown(Shutdown::Both)
}

/// A proxy that tunnels everything to `port`, and knows one user.
fn tunnelling_proxy(port: u16) -> Server {
    let (sender, receiver) = std::sync::mpsc::channel();
    let receiver = std::sync::Mutex::new(receiver);
    let wrap = move |stream: TcpStream| -> Box<dyn crate::server::Stream> {
        sender.send(stream.try_clone().unwrap()).unwrap();
        Box::new(stream)
    };
    Server::start_with("http", wrap, move |asked, conn| {
        let client = receiver.lock().unwrap().recv().unwrap();
        // me:p@ss
        match asked.headers.get("proxy-authorization").map(String::as_str) {
            Some("Basic bWU6cEBzcw==") if asked.method == "CONNECT" => tunnel(conn, port, client),
            _ => conn.answer("407 Proxy Authentication Required", &[], b"").and(hang_up()),
        }
    })
}

fn with_proxies(variables: &[(&str, &str)], extra_ca: &[String]) -> Http {
    let get = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    let extra_ca = extra_ca.iter().map(|pem| pem.clone().into_bytes()).collect();
    Http::new(HttpOptions { proxies: Proxies::from_variables(get), extra_ca, ..options() }).unwrap()
}

#[test]
fn redirects_are_followed_with_credentials_for_the_origin_only() {
    let body = bytes(30, 2000);
    let other = Server::start({
        let body = body.clone();
        move |asked, conn| conn.file(asked, &body)
    });
    let server = Server::start({
        let target = other.url("/file?signature=hunter2");
        move |asked, conn| {
            let next = match asked.target.as_str() {
                "/a/start" => "../b/next?x=1".to_owned(),
                _ => target.clone(),
            };
            conn.answer("302 Found", &[&format!("Location: {next}")], b"moved")
        }
    });
    let location = Location {
        auth: Some(Auth::Bearer("secret".to_owned())),
        headers: vec![("X-Key".to_owned(), "secret".to_owned())],
        ..Location::new(server.url("/a/start"))
    };
    let temp = temp();
    let wish = store::Wanted { locations: vec![location.clone()], ..wanted(&body, NOWHERE) };
    let report = crate::helpers::fetch_with(&temp.store, &http(), &[wish]);
    assert_eq!(report.fetched[0].from, Some(server.url("/a/start")));
    assert_eq!(server.targets(), ["/a/start", "/b/next?x=1"]);
    for asked in server.asked() {
        assert_eq!((&*asked.headers["authorization"], &*asked.headers["x-key"]), ("Bearer secret", "secret"));
    }
    let headers = &other.asked()[0].headers;
    assert!(!headers.contains_key("authorization") && !headers.contains_key("x-key"), "{headers:?}");
    let small = http().get_small(&location, 4000).unwrap().unwrap();
    assert_eq!(small.url, other.url("/file?signature=hunter2"));
    assert!(!format!("{small:?} {:?}", http().head(&location)).contains("hunter2"));
}

#[test]
fn a_range_survives_a_redirect() {
    let body = bytes(31, 9000);
    let server = Server::start({
        let body = body.clone();
        move |asked, conn| match asked.target.as_str() {
            "/start" => conn.answer("307 Temporary Redirect", &["Location: /file"], b""),
            _ => conn.file_until(asked, &body, &[], if asked.nth == 0 { 5000 } else { 9000 }),
        }
    });
    assert_fetched(&temp().store, &http(), &body, &[server.url("/start")]);
    assert_eq!(server.asked().pop().unwrap().offset(), Some(5000));
}

#[test]
fn redirects_that_lead_nowhere_are_errors() {
    let server = Server::start(|asked, conn| {
        let next = match asked.target.as_str() {
            "/ping" => "Location: /pong".to_owned(),
            "/pong" => "Location: /ping".to_owned(),
            "/self" => "Location: /self#again".to_owned(),
            "/ftp" => "Location: ftp://registry.example/x".to_owned(),
            "/nothing" => "X: y".to_owned(),
            deeper => format!("Location: {deeper}x"),
        };
        conn.answer("301 Moved Permanently", &[&next], b"")
    });
    for (path, message) in [
        ("/ping", "it redirects to http://127.0.0.1:"),
        ("/self", "where we come from"),
        ("/deep", "more than 10 redirects"),
        ("/ftp", "`ftp://registry.example/x` is no URL that can be fetched: it must begin with http:// or https://"),
        ("/nothing", "the server answered 301 without saying where to go"),
    ] {
        let error = failure(&temp().store, &http(), wanted(b"abc", &[server.url(path)])).to_string();
        assert!(error.contains(message), "{path}: {error}");
    }
    assert!(server.asked().len() < 20);
}

#[test]
fn plain_http_goes_through_a_proxy_in_absolute_form() {
    let body = bytes(32, 3000);
    let proxy = Server::start({
        let body = body.clone();
        // me:p@ss
        move |asked, conn| match asked.headers.get("proxy-authorization").map(String::as_str) {
            Some("Basic bWU6cEBzcw==") => conn.file_until(asked, &body, &[], if asked.nth == 0 { 1000 } else { 3000 }),
            _ => conn.answer("407 Proxy Authentication Required", &[], b""),
        }
    });
    let proxy_url = format!("http://me:p%40ss@127.0.0.1:{}", proxy.port());
    // Nobody resolves this name: the proxy does.
    let url = "http://registry.example:8081/debian/a.deb?x=1".to_owned();
    let http = with_proxies(&[("HTTP_PROXY", &proxy_url)], &[]);
    assert_fetched(&temp().store, &http, &body, &[&url]);
    let asked = proxy.asked();
    assert_eq!(asked.len(), 2);
    for asked in &asked {
        assert_eq!((&*asked.target, &*asked.headers["host"]), (url.as_str(), "registry.example:8081"));
    }
    assert_eq!(asked[1].offset(), Some(1000));

    let refused = with_proxies(&[("http_proxy", &format!("127.0.0.1:{}", proxy.port()))], &[]);
    let error = failure(&temp().store, &refused, wanted(&body, &[&url])).to_string();
    let shown = "http://registry.example:8081/debian/a.deb?…";
    let hint = "the proxy wants `user:password@` before its host";
    assert_eq!(error, format!("{shown}: the server answered 407: {hint}"));

    let wrong = with_proxies(&[("http_proxy", "gopher://u:hunter2@proxy.example")], &[]);
    let error = failure(&temp().store, &wrong, wanted(&body, &[url])).to_string();
    assert!(error.contains("the proxy `gopher://proxy.example` of http_proxy cannot be used"), "{error}");
}

#[test]
fn no_proxy_and_a_location_of_its_own_decide_before_the_environment() {
    let proxy = Server::start(|asked, conn| conn.file(asked, b"proxied"));
    let server = Server::start(|asked, conn| conn.file(asked, b"direct"));
    let proxy_url = proxy.url("");
    let got = |http: &Http, location: &Location| http.get_small(location, 100).unwrap().unwrap().bytes;
    let location = Location::new(server.url("/a"));
    let everywhere = with_proxies(&[("ALL_PROXY", &proxy_url)], &[]);
    assert_eq!(got(&everywhere, &location), b"proxied");
    let except = with_proxies(&[("ALL_PROXY", &proxy_url), ("NO_PROXY", "127.0.0.0/8")], &[]);
    assert_eq!(got(&except, &location), b"direct");
    let direct = Location { route: Route::Direct, ..location.clone() };
    assert_eq!(got(&everywhere, &direct), b"direct");
    let own = Location { route: Route::Proxy(proxy_url), ..location };
    assert_eq!(got(&except, &own), b"proxied");
    assert_eq!(got(&http(), &own), b"proxied");
}

#[test]
fn https_goes_through_a_tunnel_and_trusts_the_extra_authority() {
    let body = bytes(33, 300_000);
    let (server, ca) = https(&["registry.example"], {
        let body = body.clone();
        move |asked, conn| conn.file_until(asked, &body, &[], if asked.nth == 0 { 200_000 } else { 300_000 })
    });
    let proxy = tunnelling_proxy(server.port());
    let proxy_url = format!("http://me:p%40ss@127.0.0.1:{}", proxy.port());
    let url = "https://registry.example/a.jar".to_owned();
    let http = with_proxies(&[("https_proxy", &proxy_url)], std::slice::from_ref(&ca));
    assert_fetched(&temp().store, &http, &body, &[&url]);
    assert_eq!(proxy.targets()[0], "registry.example:443");
    assert_eq!(server.asked()[1].offset(), Some(200_000));
    assert!(!server.asked()[0].headers.contains_key("proxy-authorization"));

    let refused = with_proxies(&[("https_proxy", &proxy.url(""))], &[ca]);
    let error = failure(&temp().store, &refused, wanted(&body, &[&url])).to_string();
    let hint = "it wants `user:password@` before its host";
    let proxy = format!("(through the proxy {} of https_proxy)", proxy.url(""));
    assert_eq!(error, format!("{url}: the proxy answered 407: {hint} {proxy}"));
    let dead = with_proxies(&[("https_proxy", "me:hunter2@127.0.0.1:1")], &[]);
    let error = failure(&temp().store, &dead, wanted(&body, &[&url])).to_string();
    assert!(error.ends_with("(through the proxy 127.0.0.1:1 of https_proxy) (after 4 attempts)"), "{error}");
}

#[test]
fn an_unknown_authority_is_refused_with_a_remedy() {
    let (server, ca) = https(&["127.0.0.1"], |asked, conn| conn.file(asked, b"abc"));
    let error = failure(&temp().store, &http(), wanted(b"abc", &[server.url("/a")])).to_string();
    assert!(error.contains("UnknownIssuer: no authority that this machine trusts signed it"), "{error}");
    assert!(server.asked().is_empty());
    assert_fetched(&temp().store, &with_proxies(&[], std::slice::from_ref(&ca)), b"abc", &[server.url("/a")]);
    // The right authority, another name.
    let localhost = server.url("/a").replace("127.0.0.1", "localhost");
    let error = failure(&temp().store, &with_proxies(&[], &[ca]), wanted(b"abc", &[localhost])).to_string();
    assert!(error.contains("not valid for name"), "{error}");
    let unreadable = HttpOptions { extra_ca: vec![b"no PEM".to_vec()], ..options() };
    let error = Http::new(unreadable).err().unwrap().to_string();
    assert!(error.contains("it holds no `-----BEGIN CERTIFICATE-----`"), "{error}");
}

#[test]
fn https_is_not_left_for_plain_http() {
    let plain = Server::start(|asked, conn| conn.file(asked, b"abc"));
    let (server, ca) = https(&["127.0.0.1"], {
        let target = format!("Location: {}", plain.url("/a"));
        move |_, conn| conn.answer("302 Found", &[&target], b"")
    });
    let http = with_proxies(&[], &[ca]);
    let error = failure(&temp().store, &http, wanted(b"abc", &[server.url("/a")])).to_string();
    assert!(error.contains("it redirects from https to http://127.0.0.1"), "{error}");
    assert!(plain.asked().is_empty());
}

#[test]
fn small_files_are_whole_or_absent_or_an_error() {
    let server = Server::start(|asked, conn| match (asked.target.as_str(), asked.nth) {
        ("/missing", _) => conn.answer("404 Not Found", &[], b""),
        ("/once", 0) => conn.head("200 OK", &[], 10).and_then(|()| conn.send(b"<html")).and(hang_up()),
        ("/forbidden", _) => conn.answer("403 Forbidden", &[], b""),
        _ if asked.method == "HEAD" => conn.head("200 OK", &["Content-Type: application/java-archive"], 10),
        _ => conn.answer("200 OK", &["Content-Type: text/html"], b"<html></ht"),
    });
    let http = http();
    let at = |path: &str| Location::new(server.url(path));
    assert_eq!(http.get_small(&at("/missing"), 10).unwrap(), None);
    assert_eq!(http.head(&at("/missing")).unwrap(), None);
    let small = http.get_small(&at("/once"), 10).unwrap().unwrap();
    assert_eq!((small.bytes.as_slice(), small.content_type.as_deref()), (&b"<html></ht"[..], Some("text/html")));
    let error = http.get_small(&at("/page"), 9).unwrap_err();
    assert_eq!(error.to_string(), format!("{}: the answer has more than 9 bytes", server.url("/page")));
    let error = http.get_small(&at("/forbidden"), 9).unwrap_err();
    assert!(!error.is_transient() && !error.is_absent(), "{error}");
    let head = http.head(&at("/jar")).unwrap().unwrap();
    assert_eq!((head.size, head.content_type.as_deref()), (Some(10), Some("application/java-archive")));
    let asked = server.asked().pop().unwrap();
    assert_eq!((asked.method.as_str(), asked.headers["accept-encoding"].as_str()), ("HEAD", "identity"));
}

#[test]
fn a_pooled_connection_that_the_server_closed_is_no_failure() {
    let server = Server::start(|asked, conn| match asked.target.as_str() {
        // Closed without `Connection: close`, as servers do with idle connections.
        "/closes" => conn.answer("200 OK", &[], b"abc").and(hang_up()),
        _ => conn.answer("200 OK", &[], b"abc"),
    });
    let http = http();
    for path in ["/stays", "/closes", "/stays", "/closes", "/stays"] {
        assert_eq!(http.get_small(&Location::new(server.url(path)), 10).unwrap().unwrap().bytes, b"abc");
    }
}

#[test]
fn garbage_is_no_answer() {
    let server = Server::start(|asked, conn| {
        conn.stream.write_all(match asked.target.as_str() {
            "/ssh" => b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
            "/huge-header" => &[b'x'; 300_000],
            _ => b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nabc",
        })?;
        hang_up()
    });
    for path in ["/ssh", "/huge-header", "/length"] {
        let error = failure(&temp().store, &http(), wanted(b"abc", &[server.url(path)])).to_string();
        assert!(error.starts_with(&server.url(path)), "{error}");
    }
}

#[test]
fn a_part_of_a_file_is_fetched_where_the_server_gives_parts() {
    let body = bytes(7, 1000);
    let server = Server::start({
        let body = body.clone();
        move |asked, conn| {
            assert_eq!(asked.headers["range"], "bytes=900-999");
            conn.answer("206 Partial Content", &["Content-Range: bytes 900-999/1000"], &body[900..])
        }
    });
    let part = http().get_range(&Location::new(server.url("/wheel")), 900..1000).unwrap();
    assert_eq!(part.as_deref(), Some(&body[900..]));
    let whole = Server::start(|_, conn| conn.head("200 OK", &[], 3).and_then(|()| conn.send(b"abc")));
    assert_eq!(http().get_range(&Location::new(whole.url("/wheel")), 1..2).unwrap(), None);
    let gone = Server::start(|_, conn| conn.head("404 Not Found", &[], 0));
    assert!(http().get_range(&Location::new(gone.url("/wheel")), 1..2).unwrap_err().is_absent());
}
