//! Which URL a service of the user's own is given by: one with all parts of the URL that its image has in its label.

/// The parts of `SCHEME://USER:PASSWORD@HOST:PORT/NAME`.
struct Parts<'u> {
    scheme: &'u str,
    has_account: bool,
    has_port: bool,
    has_name: bool,
}

impl<'u> Parts<'u> {
    fn of(url: &'u str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let (authority, name) = rest.split_once('/').unwrap_or((rest, ""));
        let (account, place) = authority.rsplit_once('@').unwrap_or(("", authority));
        let both = |pair: Option<(&str, &str)>| pair.is_some_and(|(one, other)| !one.is_empty() && !other.is_empty());
        let port = place.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok());
        Some(Self {
            scheme,
            has_account: both(account.split_once(':')),
            has_port: both(port),
            has_name: !name.is_empty(),
        })
    }

    /// What such a URL looks like.
    fn form(&self) -> String {
        let part = |is_there: bool, text| if is_there { text } else { "" };
        let (account, name) = (part(self.has_account, "USER:PASSWORD@"), part(self.has_name, "/NAME"));
        format!("{}://{account}HOST{}{name}", self.scheme, part(self.has_port, ":PORT"))
    }
}

/// The form that a URL of a service should have, if it has another; never the URL itself, which may hold a password. `known` is
/// the one of the service's image. `https` is taken for `http`.
pub(super) fn misfit(known: &str, given: &str) -> Option<String> {
    let wanted = Parts::of(known)?;
    let fits = Parts::of(given).is_some_and(|found| {
        (found.scheme == wanted.scheme || (found.scheme == "https" && wanted.scheme == "http"))
            && found.has_account >= wanted.has_account
            && found.has_port >= wanted.has_port
            && found.has_name >= wanted.has_name
    });
    (!fits).then(|| wanted.form())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_all_parts_that_the_images_own_has() {
        let form = |known: &str, given: &str| misfit(known, given);
        let own = "http://k:s@s3.test:9000/bucket";
        for given in ["http://a:b@host:1/x", "https://a:b@host:443/x", "http://a:b@[::1]:1/x"] {
            assert_eq!(form(own, given), None, "{given}");
        }
        for given in [
            "host:1",
            "ftp://a:b@h:1/x",
            "http://h:1/x",
            "http://a@h:1/x",
            "http://a:b@h/x",
            "http://a:b@h:1",
            "http://a:b@h:x/y",
        ] {
            assert_eq!(form(own, given).as_deref(), Some("http://USER:PASSWORD@HOST:PORT/NAME"), "{given}");
        }
        assert_eq!(form("kafka://127.0.0.1:9092", "kafka://broker:1"), None);
        assert_eq!(form("kafka://127.0.0.1:9092", "kafka://broker").as_deref(), Some("kafka://HOST:PORT"));
    }
}
