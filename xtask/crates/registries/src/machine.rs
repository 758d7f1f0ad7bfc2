//! The machine on which registries are looked for: its environment and its files, read and never written.
//!
//! All paths are those that the machine itself uses (`/etc/pip.conf`); `root` says where that machine's file system
//! begins, so that a test can lay out a machine in a temporary folder. No process is started and nothing is asked of
//! the network.

use std::{collections::BTreeMap, fs, io};

use camino::{Utf8Path, Utf8PathBuf};

/// Members of archives larger than this are not what they are taken for.
const LARGEST_MEMBER: u64 = 1 << 20;
/// No configuration file is longer than this.
const LARGEST_FILE: u64 = 16 << 20;

/// What discovery looks at.
#[derive(Clone)]
pub struct Machine {
    /// The environment variables.
    pub env: BTreeMap<String, String>,
    /// The user's home folder, absolute; none for a user who has none.
    pub home: Option<Utf8PathBuf>,
    /// Where the file system of the machine begins: `/`.
    pub root: Utf8PathBuf,
    /// The repository whose `docker/registries.toml` is read.
    pub repo: Utf8PathBuf,
}

impl Machine {
    /// This machine, this user, this process's environment. Variables that are not UTF-8 are left out.
    pub fn current(repo: &Utf8Path) -> Self {
        let env: BTreeMap<_, _> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let home = env.get("HOME").filter(|home| !home.is_empty()).map(Utf8PathBuf::from);
        Self { env, home, root: "/".into(), repo: repo.to_owned() }
    }

    /// The value of a variable; an empty one counts as not set, as it does for pip and uv.
    pub(crate) fn var(&self, name: &str) -> Option<&str> {
        self.env.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The value of a variable that holds a path.
    pub(crate) fn var_path(&self, name: &str) -> Option<Utf8PathBuf> {
        self.var(name).map(|path| self.expand_home(path))
    }

    /// A path below the home folder.
    pub(crate) fn home(&self, path: &str) -> Option<Utf8PathBuf> {
        self.home.as_ref().map(|home| home.join(path))
    }

    /// `$XDG_CONFIG_HOME/path`, or `~/.config/path` where that is not set.
    pub(crate) fn user_config(&self, path: &str) -> Option<Utf8PathBuf> {
        match self.var_path("XDG_CONFIG_HOME") {
            Some(folder) => Some(folder.join(path)),
            None => self.home(".config").map(|folder| folder.join(path)),
        }
    }

    /// The file of credentials that serve registries of every kind: `$NETRC`, or `~/.netrc`. None for a user without a home.
    pub fn netrc(&self) -> Option<Utf8PathBuf> {
        self.var_path("NETRC").or_else(|| self.home(".netrc"))
    }

    /// The user's own file of registries, which `docker/registries.toml` of the repository goes before. None for a user
    /// without a home.
    pub fn user_registries(&self) -> Option<Utf8PathBuf> {
        self.user_config("spark-images/registries.toml")
    }

    /// `path` in each folder of `$XDG_CONFIG_DIRS`, or in `/etc/xdg` where that is not set.
    pub(crate) fn system_config(&self, path: &str) -> Vec<Utf8PathBuf> {
        let folders = self.var("XDG_CONFIG_DIRS").unwrap_or("/etc/xdg");
        folders.split(':').filter(|folder| !folder.is_empty()).map(|folder| Utf8Path::new(folder).join(path)).collect()
    }

    /// `path` with a leading `~/` replaced by the home folder.
    pub(crate) fn expand_home(&self, path: &str) -> Utf8PathBuf {
        match (path.strip_prefix("~/"), &self.home) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => path.into(),
        }
    }

    /// A path as people write it: `~` for the home folder.
    pub(crate) fn show(&self, path: &Utf8Path) -> String {
        match self.home.as_ref().and_then(|home| path.strip_prefix(home).ok()) {
            Some(rest) => format!("~/{rest}"),
            None => path.to_string(),
        }
    }

    /// Reads a text file: without its byte order mark, and with a replacement character for what is not UTF-8 (it
    /// mostly stands in a comment).
    pub(crate) fn read(&self, path: &Utf8Path) -> io::Result<String> {
        if path == "/dev/null" {
            return Ok(String::new()); // What people set a variable to, to have no file read.
        }
        let file = self.real(path);
        let about = fs::metadata(&file)?;
        if !about.is_file() {
            // A pipe would be waited for, and be empty for the client that comes after us.
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        if about.len() > LARGEST_FILE {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "too large for a configuration file"));
        }
        let bytes = fs::read(file)?;
        let text = String::from_utf8_lossy(&bytes);
        Ok(text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned())
    }

    /// Reads one member of a zip archive (a jar, a wheel) as text; none if the archive has no such member.
    pub(crate) fn read_member(&self, archive: &Utf8Path, member: &str) -> io::Result<Option<String>> {
        let mut archive = zip::ZipArchive::new(fs::File::open(self.real(archive))?)?;
        let file = match archive.by_name(member) {
            Ok(file) => file,
            Err(zip::result::ZipError::FileNotFound) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let mut text = String::new();
        io::Read::read_to_string(&mut io::Read::take(file, LARGEST_MEMBER), &mut text)?;
        Ok(Some(text))
    }

    /// Whether there is a file or a folder of this name.
    pub(crate) fn exists(&self, path: &Utf8Path) -> bool {
        self.real(path).exists()
    }

    /// The paths that match a shell pattern, sorted.
    pub(crate) fn glob(&self, pattern: &Utf8Path) -> Vec<Utf8PathBuf> {
        let relative = pattern.strip_prefix("/").unwrap_or(pattern);
        let pattern = Utf8PathBuf::from(glob::Pattern::escape(self.root.as_str())).join(relative);
        let Ok(paths) = glob::glob(pattern.as_str()) else { return Vec::new() };
        // A folder that may not be listed holds nothing for this user: neither could the client read it.
        paths.flatten().filter_map(|path| self.logical(Utf8Path::from_path(&path)?)).collect()
    }

    /// Where the first program of this name in `PATH` really lies, symbolic links followed.
    pub(crate) fn program(&self, name: &str) -> Option<Utf8PathBuf> {
        self.var("PATH")?.split(':').filter(|folder| folder.starts_with('/')).find_map(|folder| {
            let path = self.real(&Utf8Path::new(folder).join(name));
            if !path.is_file() {
                return None;
            }
            self.logical(&path.canonicalize_utf8().ok()?)
        })
    }

    /// Where a path of the machine lies for this process.
    fn real(&self, path: &Utf8Path) -> Utf8PathBuf {
        match path.strip_prefix("/") {
            Ok(relative) => self.root.join(relative),
            Err(_) => path.to_owned(),
        }
    }

    /// What the machine calls a path of this process; the inverse of `real`.
    fn logical(&self, path: &Utf8Path) -> Option<Utf8PathBuf> {
        let relative = path.strip_prefix(&self.root).ok().or_else(|| {
            let root = self.root.canonicalize_utf8().ok()?;
            path.strip_prefix(root).ok()
        })?;
        Some(Utf8Path::new("/").join(relative))
    }
}
