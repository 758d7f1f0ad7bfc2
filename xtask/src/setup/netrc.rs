//! Adds logins to the text of a `.netrc`, the file that curl, git and Python's clients share.

use anyhow::{Result, bail};

use super::wish::Login;

/// The text with these logins at its beginning: what follows a `default` entry is seen by nobody.
///
/// # Errors
/// A host has another login there, or a login cannot be written.
pub(super) fn add(text: &str, logins: &[Login]) -> Result<String> {
    let mut lines = String::new();
    for login in logins {
        let line = line(login)?;
        match text.lines().find(|other| names(other, &login.host)) {
            Some(other) if other.trim() == line => {}
            Some(_) => bail!(
                "it has credentials for {0} already\ncorrect them there, and leave them out of the address; other programs use them as well",
                login.host
            ),
            None => lines.push_str(&format!("{line}\n")),
        }
    }
    Ok(lines + text)
}

/// The text for people.
pub(super) fn shown(logins: &[Login]) -> Vec<String> {
    logins.iter().map(|login| format!("machine {} login {} password ***", login.host, login.user)).collect()
}

/// Whether an entry for a host begins on this line.
fn names(line: &str, host: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    words.windows(2).any(|pair| pair[0] == "machine" && pair[1].trim_matches('"').eq_ignore_ascii_case(host))
}

fn line(login: &Login) -> Result<String> {
    let (user, password) = (word(&login.user)?, word(login.password.expose())?);
    Ok(format!("machine {} login {user} password {password}", login.host))
}

/// A word as it is written there: in quotes where it would be cut or taken for a comment.
fn word(text: &str) -> Result<String> {
    if text.is_empty() || text.contains(|c: char| c.is_control()) {
        bail!(
            "a user or password that is empty or has a line break cannot stand there: name variables with --username-env and --password-env"
        );
    }
    match text.contains(|c: char| c.is_whitespace() || "\"\\#".contains(c)) {
        true => Ok(format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))),
        false => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use registries::Secret;

    use super::*;

    fn login(host: &str, password: &str) -> Login {
        Login { host: host.to_owned(), user: "ann".to_owned(), password: Secret::new(password) }
    }

    #[test]
    fn a_login_is_added_before_all_others() {
        let text = add("default login x password y\n", &[login("m.example", "p w\"#")]).unwrap();
        assert_eq!(text, "machine m.example login ann password \"p w\\\"#\"\ndefault login x password y\n");
        assert_eq!(add(&text, &[login("m.example", "p w\"#")]).unwrap(), text);
    }

    #[test]
    fn another_login_of_the_host_is_not_replaced() {
        let error = add(
            "machine other.example login b password c\nmachine M.example\n  login b\n",
            &[login("m.example", "hidden")],
        );
        let error = error.unwrap_err().to_string();
        assert!(error.contains("credentials for m.example already") && !error.contains("hidden"), "{error}");
        assert!(add("", &[login("m.example", "a\nb")]).is_err());
        assert_eq!(shown(&[login("m.example", "hidden")]), ["machine m.example login ann password ***"]);
    }
}
