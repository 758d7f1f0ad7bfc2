//! What the user wants to stand in the file: checked, and without passwords.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use camino::Utf8PathBuf;
use registries::{Auth, BaseUrl, Kind, Secret};

use crate::flags::SetupArgs;

/// What is to stand in the file.
#[derive(Debug, Default, Clone)]
pub(crate) struct Wish {
    /// The registries of each kind that is named; other kinds stay as they are.
    pub(crate) registries: BTreeMap<Kind, Vec<BaseUrl>>,
    /// Certificates of authorities, absolute.
    pub(crate) ca: Vec<Utf8PathBuf>,
    /// The keys that each of these registries gets, in order: `username-env = "MIRROR_USER"`.
    pub(crate) keys: Vec<(&'static str, String)>,
    /// What stood in an address and belongs into `~/.netrc`.
    pub(crate) logins: Vec<Login>,
}

/// User and password for a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) host: String,
    pub(crate) user: String,
    pub(crate) password: Secret,
}

impl Wish {
    /// What the flags say.
    ///
    /// # Errors
    /// An address cannot be one; a file is not there; a flag is about registries and none is named.
    pub(crate) fn read(args: &SetupArgs) -> Result<Self> {
        let mut wish = Self::default();
        for (kind, urls) in [(Kind::Maven, &args.maven), (Kind::Pypi, &args.pypi), (Kind::Debian, &args.debian)] {
            for url in urls {
                wish.add(kind, url)?;
            }
        }
        for path in &args.ca {
            wish.add_ca(path)?;
        }
        let variables = [
            ("username-env", "--username-env", &args.username_env),
            ("password-env", "--password-env", &args.password_env),
            ("token-env", "--token-env", &args.token_env),
        ];
        wish.keys.extend(args.username.clone().map(|name| ("username", name)));
        for (key, flag, value) in variables {
            let Some(value) = value else { continue };
            wish.keys.push((key, variable(value).with_context(|| format!("{flag} wants the name of a variable"))?));
        }
        if let Some(proxy) = &args.proxy {
            wish.keys.push(("proxy", proxy_of(proxy)?));
        }
        if wish.registries.is_empty() && !wish.keys.is_empty() {
            bail!(
                "credentials and --proxy are about the registries that are named beside them\nadd --maven URL, --pypi URL or --debian URL"
            );
        }
        if args.username.is_some() && args.password_env.is_none() {
            bail!("--username needs --password-env: the variable that holds the password");
        }
        Ok(wish)
    }

    /// One more registry. What stands before its host becomes a login.
    pub(crate) fn add(&mut self, kind: Kind, text: &str) -> Result<()> {
        let (url, auth) = BaseUrl::parse(text)?;
        if let Some(Auth::Basic { user, password }) = auth {
            let login = Login { host: url.host().to_owned(), user, password };
            if let Some(other) = self.logins.iter().find(|other| other.host == login.host && **other != login) {
                bail!("two addresses have different credentials for {}: ~/.netrc can hold one for a host", other.host);
            }
            if !self.logins.contains(&login) {
                self.logins.push(login);
            }
        }
        let urls = self.registries.entry(kind).or_default();
        if !urls.contains(&url) {
            urls.push(url);
        }
        Ok(())
    }

    /// One more authority.
    pub(crate) fn add_ca(&mut self, path: &Utf8PathBuf) -> Result<()> {
        let path = path.canonicalize_utf8().with_context(|| format!("reading the CA {path}"))?;
        if !self.ca.contains(&path) {
            self.ca.push(path);
        }
        Ok(())
    }

    /// Whether nothing was asked for.
    pub(crate) fn is_empty(&self) -> bool {
        self.registries.is_empty() && self.ca.is_empty()
    }
}

/// The name of a variable. What is none may be a password that was written there by mistake, so it is not shown.
fn variable(text: &str) -> Result<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if text.is_empty() || text.starts_with(|c: char| c.is_ascii_digit()) || !text.chars().all(is_name) {
        bail!("expected letters, digits and `_`; the password itself has no place there");
    }
    Ok(text.to_owned())
}

fn proxy_of(text: &str) -> Result<String> {
    if text.eq_ignore_ascii_case("none") {
        return Ok("none".to_owned());
    }
    let (url, auth) = BaseUrl::parse(text).context("reading --proxy")?;
    if auth.is_some() {
        bail!(
            "the password of a proxy has no place in registries.toml\n\
             set HTTPS_PROXY=http://USER:PASSWORD@{} where this program runs, and leave --proxy out",
            url.as_str().trim_start_matches("http://").trim_start_matches("https://")
        );
    }
    Ok(url.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(args: SetupArgs) -> String {
        format!("{:#}", Wish::read(&args).unwrap_err())
    }

    #[test]
    fn passwords_are_taken_out_of_addresses() {
        let maven = vec!["https://ann:hidden@mirror.example/maven/".to_owned()];
        let pypi = vec!["https://ann:hidden@mirror.example/simple".to_owned()];
        let wish = Wish::read(&SetupArgs { maven, pypi, ..SetupArgs::default() }).unwrap();
        assert_eq!(wish.registries[&Kind::Maven][0].as_str(), "https://mirror.example/maven");
        assert_eq!((wish.logins.len(), wish.logins[0].user.as_str()), (1, "ann"));
        assert!(!format!("{wish:?}").contains("hidden"));
    }

    #[test]
    fn what_has_no_place_there_is_refused_and_not_shown() {
        let url = |text: &str| vec![text.to_owned()];
        let mistakes = [
            (SetupArgs { maven: url("ftp://ann:hidden@h/x"), ..Default::default() }, "expected the scheme"),
            (SetupArgs { username_env: Some("A".into()), ..Default::default() }, "add --maven URL"),
            (
                SetupArgs { pypi: url("http://h/s"), password_env: Some("hidden!".into()), ..Default::default() },
                "name of a variable",
            ),
            (
                SetupArgs { pypi: url("http://h/s"), proxy: Some("http://a:hidden@p:1".into()), ..Default::default() },
                "HTTPS_PROXY",
            ),
            (SetupArgs { pypi: url("http://h/s"), username: Some("a".into()), ..Default::default() }, "--password-env"),
            (SetupArgs { ca: vec!["/no/such".into()], ..Default::default() }, "/no/such"),
            (
                SetupArgs { maven: url("http://a:hidden@h/m"), pypi: url("http://b:hidden@h/s"), ..Default::default() },
                "different credentials",
            ),
        ];
        for (args, words) in mistakes {
            let error = refused(args);
            assert!(error.contains(words) && !error.contains("hidden"), "{error}");
        }
    }
}
