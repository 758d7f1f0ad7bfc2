//! What an image is for: Linux on one of the processors that a base can be made for.

use std::{fmt, str::FromStr};

/// An operating system and a processor, as container engines name them.
///
/// These are the ones whose libraries and wheels the crates `debian` and `python` know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Platform {
    /// `linux/amd64`
    Amd64,
    /// `linux/arm64`
    Arm64,
}

impl Platform {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Amd64, Self::Arm64];

    /// `amd64`, `arm64`: Debian and the OCI specification give these two the same name.
    pub fn architecture(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }

    /// The platform whose programs this machine runs by itself, if it is one of these.
    pub fn host() -> Option<Self> {
        match std::env::consts::ARCH {
            "x86_64" => Some(Self::Amd64),
            "aarch64" => Some(Self::Arm64),
            _ => None,
        }
    }

    /// What the names of things bear that exist once for each platform: `linux/arm64`. Those of linux/amd64 bear
    /// nothing, as all did when there was no other; so an old lock and old records stay what they are.
    pub fn mark(self) -> Option<String> {
        (self != Self::Amd64).then(|| self.to_string())
    }

    /// [`Platform::mark`] as the name of a folder; empty where there is no mark.
    pub fn folder(self) -> String {
        self.mark().unwrap_or_default().replace('/', "-")
    }

    /// `name`, marked.
    pub(crate) fn marked(self, name: String) -> String {
        match self.mark() {
            Some(mark) => format!("{name} {mark}"),
            None => name,
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "linux/{}", self.architecture())
    }
}

impl FromStr for Platform {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|platform| platform.to_string() == text)
            .ok_or_else(|| format!("`{text}` is no platform: expected {}", one_of(&Self::ALL)))
    }
}

/// `linux/amd64 or linux/arm64`
pub(crate) fn one_of(platforms: &[Platform]) -> String {
    platforms.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
}
