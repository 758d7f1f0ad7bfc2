//! From what a request came to, to what to do about it.

use registries::{Endpoint, Kind};
use store::HttpError;

/// What to do about an answer that refuses: 401, 403 or 407.
pub(crate) fn refused(kind: Kind, endpoint: &Endpoint, status: u16) -> String {
    let host = endpoint.url.host();
    if status == 407 {
        return "write user and password into the proxy's address: HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT"
            .to_owned();
    }
    match &endpoint.auth_found_in {
        Some(place) => format!("correct the credentials in {place}; they may have expired"),
        None => {
            let own = match kind {
                Kind::Maven => format!("a <server> with the id `{}` in ~/.m2/settings.xml", endpoint.id),
                Kind::Pypi => "the address in pip.conf or uv.toml".to_owned(),
                Kind::Debian => "/etc/apt/auth.conf".to_owned(),
            };
            format!(
                "put credentials into ~/.netrc (chmod 600): machine {host} login USER password PASSWORD; or into {own}\n\
                 or name variables that hold them: cargo xtask setup --{kind} {} --username-env USER --password-env PASSWORD",
                endpoint.url
            )
        }
    }
}

/// What to do about a request that had no answer.
pub(crate) fn failed(kind: Kind, endpoint: &Endpoint, error: &HttpError) -> String {
    let (host, text) = (endpoint.url.host(), error.to_string());
    let said = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let port = endpoint.url.port().unwrap_or(443);
    if said(&["UnknownIssuer", "BadSignature"]) {
        return format!(
            "an authority signed it that this machine does not know, as behind a proxy that reads along\n\
             who it is: openssl s_client -showcerts -connect {host}:{port} </dev/null\n\
             ask your administrators for its certificate, then: cargo xtask setup --ca FILE.pem"
        );
    }
    if said(&["Expired", "NotValidYet"]) {
        return "compare the clock of this machine: date -u; if it is right, the registry's certificate must be renewed".to_owned();
    }
    if said(&["NotValidForName"]) {
        return format!("the certificate is one of another host: call the registry by the name in it, not `{host}`");
    }
    if said(&["InvalidContentType", "corrupt message", "record overflow"]) {
        return format!(
            "{host} speaks no TLS there: cargo xtask setup --{kind} http://{}",
            endpoint.url.as_str().trim_start_matches("https://")
        );
    }
    match error {
        HttpError::NoAuthorities { .. } => {
            "apt-get install ca-certificates, or set SSL_CERT_FILE to a PEM file".to_owned()
        }
        HttpError::BadProxy { .. } => "write it as http://HOST:PORT".to_owned(),
        _ if said(&["through the proxy"]) => {
            format!("is the proxy right? curl -I {}; to go there without it: NO_PROXY={host}", endpoint.url)
        }
        _ if said(&["failed to lookup", "host was not found"]) => {
            format!(
                "is `{host}` spelled right? behind a proxy, set HTTPS_PROXY (and HTTP_PROXY): the proxy finds the host then"
            )
        }
        HttpError::Status { status: 500..=599, .. } => {
            "try again later: the registry has trouble of its own".to_owned()
        }
        HttpError::Redirect { .. } => format!("take the address that it leads to: cargo xtask setup --{kind} URL"),
        _ => format!("see what it says: curl -sSI {}; behind a proxy, set HTTPS_PROXY", endpoint.url),
    }
}

#[cfg(test)]
mod tests {
    use registries::{BaseUrl, Proxy};

    use super::*;

    fn endpoint() -> Endpoint {
        let (url, _) = BaseUrl::parse("https://mirror.example/maven").unwrap();
        Endpoint { id: "corp".into(), url, auth: None, auth_found_in: None, proxy: Proxy::Direct, found_in: "x".into() }
    }

    #[test]
    fn each_failure_has_its_remedy() {
        for (reason, remedy) in [
            ("invalid peer certificate: UnknownIssuer", "cargo xtask setup --ca FILE.pem"),
            ("invalid peer certificate: Expired", "date -u"),
            ("invalid peer certificate: NotValidForName", "another host"),
            ("received corrupt message of type InvalidContentType", "setup --maven http://mirror.example/maven"),
            ("Connection refused (through the proxy http://p:1 of HTTPS_PROXY)", "NO_PROXY=mirror.example"),
            ("failed to lookup address information: Name or service not known", "spelled right"),
            ("Connection refused", "curl -sSI https://mirror.example/maven"),
        ] {
            let error = HttpError::Transport { url: String::new(), reason: reason.to_owned(), transient: false };
            let found = failed(Kind::Maven, &endpoint(), &error);
            assert!(found.contains(remedy), "{reason}: {found}");
        }
    }

    #[test]
    fn credentials_belong_where_the_clients_keep_theirs() {
        assert!(refused(Kind::Maven, &endpoint(), 401).contains("machine mirror.example login"));
        let known = Endpoint { auth_found_in: Some("~/.netrc".into()), ..endpoint() };
        assert_eq!(refused(Kind::Pypi, &known, 401), "correct the credentials in ~/.netrc; they may have expired");
        assert!(refused(Kind::Maven, &known, 407).contains("HTTPS_PROXY"));
    }
}
