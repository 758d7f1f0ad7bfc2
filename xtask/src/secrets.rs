//! Secrets of a build, as they are named on the command line.

use std::{collections::BTreeMap, env};

use anyhow::{Context as _, Result, bail};
use assemble::run::Secret;
use camino::Utf8PathBuf;

/// Reads `id=ID,src=FILE` and `id=ID,env=NAME`.
pub(crate) fn read(given: &[String]) -> Result<BTreeMap<String, Secret>> {
    given.iter().map(|text| one(text)).collect()
}

fn one(text: &str) -> Result<(String, Secret)> {
    let fields: BTreeMap<&str, &str> =
        text.split(',').map(|field| field.split_once('=').unwrap_or((field, ""))).collect();
    let known = fields.iter().all(|(key, value)| matches!(*key, "id" | "src" | "env") && !value.is_empty());
    match (known, fields.get("id"), fields.get("src"), fields.get("env")) {
        (true, Some(id), Some(file), None) => {
            let file = Utf8PathBuf::from(*file);
            if !file.is_file() {
                bail!("--secret {text}: there is no file {file}");
            }
            Ok(((*id).to_owned(), Secret::File(file)))
        }
        (true, Some(id), None, Some(name)) => {
            let value = env::var(name).with_context(|| format!("--secret {text}: reading the variable {name}"))?;
            Ok(((*id).to_owned(), Secret::Bytes(value.into_bytes().into())))
        }
        _ => bail!("--secret {text}: expected id=ID,src=FILE or id=ID,env=NAME"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_files_or_variables() {
        let told = |text: &str| read(&[text.to_owned()]).map(|_| ()).unwrap_err().to_string();
        assert!(matches!(read(&["id=a,env=PATH".to_owned()]).unwrap().get("a"), Some(Secret::Bytes(_))));
        assert!(matches!(read(&["id=a,src=Cargo.toml".to_owned()]).unwrap().get("a"), Some(Secret::File(_))));
        assert!(told("id=a,src=no/such").contains("there is no file no/such"));
        assert!(told("id=a,env=NO_SUCH_VARIABLE_HERE").contains("reading the variable"));
        for wrong in
            ["a", "id=a", "id=a,src=", "src=Cargo.toml", "id=a,src=Cargo.toml,env=PATH", "id=a,file=Cargo.toml"]
        {
            assert!(told(wrong).contains("expected id=ID,src=FILE or id=ID,env=NAME"), "{wrong}");
        }
    }
}
