//! How a layer is compressed.

use std::{fmt, str::FromStr};

/// An algorithm and its level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Form {
    /// As it is.
    Plain,
    /// gzip (RFC 1952), level 1 to 9.
    Gzip(u32),
    /// Zstandard (RFC 8878), level 1 to 19.
    Zstd(u32),
}

/// A text that means no form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no compression; expected none, gzip, gzip:1 to gzip:9, zstd, or zstd:1 to zstd:19")]
pub struct BadForm(String);

impl Form {
    /// The media type of a layer in this form: <https://github.com/opencontainers/image-spec/blob/main/layer.md>.
    pub fn media_type(self) -> &'static str {
        match self {
            Form::Plain => "application/vnd.oci.image.layer.v1.tar",
            Form::Gzip(_) => "application/vnd.oci.image.layer.v1.tar+gzip",
            Form::Zstd(_) => "application/vnd.oci.image.layer.v1.tar+zstd",
        }
    }

    /// The form of a layer with this media type, also of Docker's. Of which level it is, it does not say.
    pub fn of_media_type(media_type: &str) -> Option<Self> {
        match media_type.rsplit_once(['.', '+'])?.1 {
            "tar" => Some(Form::Plain),
            "gzip" => Some(Form::Gzip(6)),
            "zstd" => Some(Form::Zstd(3)),
            _ => None,
        }
    }
}

impl FromStr for Form {
    type Err = BadForm;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, level) = match text.split_once(':') {
            Some((name, level)) => (name, Some(level.parse().map_err(|_| BadForm(text.to_owned()))?)),
            None => (text, None),
        };
        match (name, level) {
            ("none", None) => Ok(Form::Plain),
            // What nearly every client takes.
            ("gzip", level @ (None | Some(1..=9))) => Ok(Form::Gzip(level.unwrap_or(6))),
            ("zstd", level @ (None | Some(1..=19))) => Ok(Form::Zstd(level.unwrap_or(3))),
            _ => Err(BadForm(text.to_owned())),
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Form::Plain => f.write_str("none"),
            Form::Gzip(level) => write!(f, "gzip:{level}"),
            Form::Zstd(level) => write!(f, "zstd:{level}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_read() {
        for (text, form) in [
            ("none", Form::Plain),
            ("gzip", Form::Gzip(6)),
            ("gzip:9", Form::Gzip(9)),
            ("zstd", Form::Zstd(3)),
            ("zstd:19", Form::Zstd(19)),
        ] {
            assert_eq!(text.parse(), Ok(form));
        }
        for wrong in ["", "gzip:0", "gzip:10", "zstd:20", "xz", "none:1", "gzip:"] {
            assert!(wrong.parse::<Form>().is_err(), "{wrong}");
        }
        for form in [Form::Plain, Form::Gzip(6), Form::Zstd(3)] {
            assert_eq!(Form::of_media_type(form.media_type()), Some(form));
        }
        assert_eq!(Form::of_media_type("application/vnd.docker.image.rootfs.diff.tar.gzip"), Some(Form::Gzip(6)));
        assert_eq!(Form::of_media_type("text/html"), None);
    }
}
