//! What the directory of a jar says, and three small texts in it. No class is read.
//!
//! A jar comes from outside, so nothing that it claims is believed before it is seen: a number of entries reserves no
//! memory, and a text is read as far as a limit of our own.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    io::{self, BufReader, Read},
    sync::{Mutex, PoisonError},
};

use flate2::read::DeflateDecoder;
use rawzip::{CompressionMethod, RECOMMENDED_BUFFER_SIZE, ReaderAt, ZipArchive, ZipArchiveEntryWayfinder, ZipLocator};

/// Texts of interest are some hundred bytes; what is larger is not what it is called.
const MAX_TEXT: u64 = 64 << 10;
/// The end record of a zip file lies at most this far from its end: the record and the longest comment, and with ZIP64
/// two records more.
const MAX_TAIL: u64 = (64 << 10) + 22 + 20 + 56;
/// Where Hadoop says its version: `org.apache.hadoop.util.VersionInfo` reads it.
const HADOOP: &[u8] = b"common-version-info.properties";
/// The file by which the RAPIDS plugin knows a shim, behind the shim's name.
const SHIM: &[u8] = b"/META-INF/services/com.nvidia.spark.rapids.SparkShimServiceProvider";

/// Names of classes, each with a number, so that jars can be compared without comparing texts.
#[derive(Debug, Default)]
pub struct Names(Mutex<Numbers>);

#[derive(Debug, Default)]
struct Numbers {
    of: HashMap<Box<str>, u32>,
    names: Vec<Box<str>>,
}

impl Names {
    /// The name with this number.
    pub fn name(&self, number: u32) -> String {
        let names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        names.names.get(number as usize).map(|name| name.to_string()).unwrap_or_default()
    }

    /// How many names there are: all numbers are below.
    pub fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).names.len()
    }

    fn number(&self, names: Vec<(String, u32)>) -> Vec<Class> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Numbers { of, names: list } = &mut *known;
        let number = |(name, crc): (String, u32)| {
            let name = name.into_boxed_str();
            let next = list.len() as u32;
            let name = *of.entry(name.clone()).or_insert_with(|| {
                list.push(name);
                next
            });
            Class { name, crc }
        };
        names.into_iter().map(number).collect()
    }
}

/// A class of a jar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Class {
    /// Its number in [`Names`].
    pub name: u32,
    /// The checksum of its bytes, as the directory gives it.
    pub crc: u32,
}

/// A jar, as far as rules ask.
#[derive(Debug, Default)]
pub struct Jar {
    /// Its classes, without those of `META-INF/` (versions for other Javas), `module-info` and `package-info`.
    pub classes: Vec<Class>,
    /// Names that its directory has twice: which of the two is loaded depends on the reader.
    pub twice: Vec<String>,
    /// A class of AWS SDK for Java v1.
    pub sdk_v1: Option<String>,
    /// A class of the core of AWS SDK for Java v2.
    pub sdk_v2: Option<String>,
    /// The shims of a RAPIDS plugin: `spark411`.
    pub shims: BTreeSet<String>,
    /// The version that Hadoop gives itself.
    pub hadoop: Option<String>,
    /// Artifacts that it says it is made of, with their versions, by group and artifact.
    pub artifacts: BTreeMap<(String, String), String>,
}

impl Jar {
    /// Reads the jar of `size` bytes that `reader` shows.
    ///
    /// # Errors
    /// Why it is no jar, or not a whole one.
    pub fn read(reader: impl ReaderAt, size: u64, names: &Names) -> Result<Self, String> {
        let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
        let locator = ZipLocator::new().max_search_space(MAX_TAIL);
        let archive = locator.locate_in_reader(reader, &mut buffer, size).map_err(|(_, error)| error.to_string())?;
        let mut found = Found::default();
        let mut entries = archive.entries(&mut buffer);
        let mut count = 0;
        while let Some(entry) = entries.next_entry().map_err(|error| error.to_string())? {
            count += 1;
            if entry.is_dir() {
                continue;
            }
            let path = entry.file_path();
            found.entry(path.as_ref(), entry.crc32(), entry.wayfinder(), entry.compression_method());
        }
        let promised = archive.entries_hint();
        // Without ZIP64 the number has 16 bits, and writers let it run over.
        if count != promised && count & 0xffff != promised {
            return Err(format!("its directory promises {promised} entries and has {count}"));
        }
        found.texts(&archive)?;
        Ok(found.into_jar(names))
    }
}

/// An entry whose text is wanted.
type Text = (String, ZipArchiveEntryWayfinder, CompressionMethod);

#[derive(Default)]
struct Found {
    classes: Vec<(String, u32)>,
    texts: Vec<Text>,
    jar: Jar,
}

impl Found {
    fn entry(&mut self, path: &[u8], crc: u32, at: ZipArchiveEntryWayfinder, how: CompressionMethod) {
        let text = || String::from_utf8_lossy(path).into_owned();
        if let Some(class) = path.strip_suffix(b".class") {
            let simple = class.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
            if path.starts_with(b"META-INF/") || matches!(simple, b"module-info" | b"package-info") {
                return;
            }
            if path.starts_with(b"com/amazonaws/") && self.jar.sdk_v1.is_none() {
                self.jar.sdk_v1 = Some(text());
            }
            if path.starts_with(b"software/amazon/awssdk/core/") && self.jar.sdk_v2.is_none() {
                self.jar.sdk_v2 = Some(text());
            }
            self.classes.push((text(), crc));
        } else if let Some(shim) = path.strip_suffix(SHIM) {
            self.jar.shims.insert(String::from_utf8_lossy(shim).into_owned());
        } else if path == HADOOP || (path.starts_with(b"META-INF/maven/") && path.ends_with(b"/pom.properties")) {
            self.texts.push((text(), at, how));
        }
    }

    fn texts(&mut self, archive: &ZipArchive<impl ReaderAt>) -> Result<(), String> {
        for (name, at, how) in std::mem::take(&mut self.texts) {
            let failed = |reason: String| format!("its entry `{name}` cannot be read: {reason}");
            let entry = archive.get_entry(at).map_err(|error| failed(error.to_string()))?;
            let text = text(entry.reader(), how).map_err(|error| failed(error.to_string()))?;
            let Some(text) = text else { continue };
            let value = |key: &str| {
                let line = text.lines().find_map(|line| line.strip_prefix(key)?.trim_start().strip_prefix('='));
                line.map(|value| value.trim().to_owned())
            };
            if name.as_bytes() == HADOOP {
                self.jar.hadoop = value("version");
            } else if let (Some(group), Some(artifact), Some(version)) =
                (value("groupId"), value("artifactId"), value("version"))
            {
                self.jar.artifacts.insert((group, artifact), version);
            }
        }
        Ok(())
    }

    fn into_jar(mut self, names: &Names) -> Jar {
        self.classes.sort();
        let twice = self.classes.windows(2).filter(|pair| pair[0].0 == pair[1].0).map(|pair| pair[0].0.clone());
        self.jar.twice = twice.collect::<BTreeSet<_>>().into_iter().collect();
        self.classes.dedup_by(|a, b| a.0 == b.0);
        self.jar.classes = names.number(self.classes);
        self.jar
    }
}

/// A text of at most [`MAX_TEXT`] bytes; nothing where it is larger, no UTF-8, or compressed in a rare way.
fn text(reader: impl Read, how: CompressionMethod) -> io::Result<Option<String>> {
    let reader: Box<dyn Read> = match how {
        CompressionMethod::STORE => Box::new(reader),
        CompressionMethod::DEFLATE => Box::new(DeflateDecoder::new(BufReader::new(reader))),
        _ => return Ok(None),
    };
    let mut bytes = Vec::new();
    reader.take(MAX_TEXT + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= MAX_TEXT).then(|| String::from_utf8(bytes).ok()).flatten())
}
