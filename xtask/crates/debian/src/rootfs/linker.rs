//! The cache of the dynamic linker, `/etc/ld.so.cache`, as `ldconfig` writes it.
//!
//! The linker finds Debian's libraries without it; but Python's `ctypes.util.find_library` reads it, and asks nothing
//! else in an image without a compiler. Format and order: glibc's `elf/cache.c`, `elf/ldconfig.c`, `elf/stringtable.c`
//! and `sysdeps/generic/dl-cache.h` of 2.36.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
};

use super::{layout, recipe, tree::Tree, writer::Meta};

/// A library, or a link that may lead to one.
enum Entry {
    /// An ELF file and its DT_SONAME.
    Library(Option<String>),
    /// Where a link leads, relative to the root.
    Link(String),
}

/// The libraries of the packages.
pub(super) struct Libraries {
    /// The directory of the architecture's libraries, `usr/lib/x86_64-linux-gnu/`.
    directory: String,
    /// What the cache says of each library; none for an architecture whose flags are not known here.
    flags: Option<u32>,
    entries: BTreeMap<String, Entry>,
}

impl Libraries {
    pub(super) fn new(architecture: &str) -> Self {
        /// `FLAG_ELF_LIBC6`; the architecture's flag is added.
        const LIBC6: u32 = 3;
        let flags = match architecture {
            "amd64" => Some(LIBC6 | 0x0300),
            "arm64" => Some(LIBC6 | 0x0a00),
            _ => None,
        };
        let directory = format!("usr/lib/{}/", recipe::triplet(architecture));
        Self { directory, flags, entries: BTreeMap::new() }
    }

    /// Whether the file at `path` could be a library. Its bytes are then wanted.
    pub(super) fn may_hold(&self, path: &str) -> bool {
        self.flags.is_some()
            && path.strip_prefix(&self.directory).is_some_and(|path| {
                let name = path.rsplit('/').next().unwrap_or_default();
                (name.starts_with("lib") || name.starts_with("ld-")) && name.contains(".so")
            })
    }

    /// Takes note of a file.
    pub(super) fn file(&mut self, path: &str, bytes: &[u8]) {
        if self.may_hold(path) && bytes.starts_with(b"\x7fELF") {
            self.entries.insert(path.to_owned(), Entry::Library(soname(bytes)));
        }
    }

    /// Takes note of a link.
    pub(super) fn link(&mut self, path: &str, target: &str) {
        if self.may_hold(path) {
            self.entries.insert(path.to_owned(), Entry::Link(layout::target_of(path, target)));
        }
    }

    /// Adds the cache, if this architecture has one here. `glibc` is the version of the package that holds `ldconfig`.
    pub(super) fn generate(&self, glibc: &str, tree: &mut Tree, faults: &mut Vec<String>) {
        if let Some(flags) = self.flags {
            tree.file("etc/ld.so.cache", Meta::root(0o644), render(&self.names(), flags, glibc), faults);
        }
    }

    /// The names by which the libraries of the directory are asked for, each with its path.
    fn names(&self) -> BTreeSet<(String, String)> {
        // The linker's configuration calls the directory by its older name.
        let directory = self.directory.trim_start_matches("usr");
        let names = self.entries.keys().filter_map(|path| {
            let file = path.strip_prefix(&self.directory).filter(|file| !file.contains('/'))?;
            let name = self.resolve(path)?.clone().unwrap_or_else(|| file.to_owned());
            Some((name.clone(), format!("{directory}{name}")))
        });
        names.collect()
    }

    /// The DT_SONAME of the library at `path` or behind the links there.
    fn resolve(&self, path: &str) -> Option<&Option<String>> {
        let mut path = path;
        // A chain of links that is longer leads nowhere, as in the kernel.
        for _ in 0..40 {
            match self.entries.get(path)? {
                Entry::Library(soname) => return Some(soname),
                Entry::Link(target) => path = target,
            }
        }
        None
    }
}

/// The bytes of the cache file: `struct cache_file_new`, its entries, the strings, and one extension.
fn render(names: &BTreeSet<(String, String)>, flags: u32, glibc: &str) -> Vec<u8> {
    const HEADER: usize = 48;
    const ENTRY: usize = 24;
    const LITTLE_ENDIAN: u8 = 2;
    const EXTENSION_MAGIC: u32 = 0xeaa4_2174;
    const GENERATOR: u32 = 0;
    let mut sorted: Vec<_> = names.iter().collect();
    sorted.sort_by(|a, b| compare(&b.0, &a.0));
    let (strings, offsets) = string_table(sorted.iter().flat_map(|(name, path)| [name.as_str(), path.as_str()]));
    let base = HEADER + ENTRY * sorted.len();
    let offset = |text: &String| (base + offsets.get(text.as_str()).copied().unwrap_or_default()) as u32;
    let extension = (base + strings.len()).next_multiple_of(4);
    let upstream = glibc.rsplit_once('-').map_or(glibc, |(upstream, _)| upstream);
    let generator = format!("ldconfig (Debian GLIBC {glibc}) stable release version {upstream}");

    let mut cache = b"glibc-ld.so.cache1.1".to_vec();
    let number = |cache: &mut Vec<u8>, number: u32| cache.extend(number.to_le_bytes());
    number(&mut cache, sorted.len() as u32);
    number(&mut cache, strings.len() as u32);
    cache.extend([LITTLE_ENDIAN, 0, 0, 0]);
    number(&mut cache, extension as u32);
    cache.resize(HEADER, 0);
    for (name, path) in sorted {
        number(&mut cache, flags);
        number(&mut cache, offset(name));
        number(&mut cache, offset(path));
        // The version of the kernel and the capabilities of the processor that it needs: none.
        cache.extend([0; 12]);
    }
    cache.extend(strings);
    cache.resize(extension, 0);
    let generator_at = extension + 24;
    for value in [EXTENSION_MAGIC, 1, GENERATOR, 0, generator_at as u32, generator.len() as u32] {
        number(&mut cache, value);
    }
    cache.extend(generator.into_bytes());
    cache
}

/// The strings, each ended by NUL, and the offset of each; a string that ends another one lies within it.
fn string_table<'a>(strings: impl Iterator<Item = &'a str>) -> (Vec<u8>, BTreeMap<&'a str, usize>) {
    let mut sorted: Vec<&str> = strings.collect::<BTreeSet<_>>().into_iter().collect();
    sorted.sort_by(|a, b| {
        let differing = a.bytes().rev().zip(b.bytes().rev()).map(|(a, b)| b.cmp(&a)).find(|order| order.is_ne());
        differing.unwrap_or_else(|| b.len().cmp(&a.len()))
    });
    let mut table = Vec::new();
    let mut offsets = BTreeMap::new();
    let mut previous = "";
    for string in sorted {
        match previous.ends_with(string) {
            // The end of the previous string is the NUL that the table ends with.
            true => drop(offsets.insert(string, table.len() - 1 - string.len())),
            false => {
                offsets.insert(string, table.len());
                table.extend(string.bytes().chain([0]));
                previous = string;
            }
        }
    }
    (table, offsets)
}

/// glibc's `_dl_cache_libcmp`: like a comparison of bytes, but runs of digits are compared as numbers.
fn compare(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    let number = |text: &mut &[u8]| {
        let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = text.split_at(length);
        *text = rest;
        digits.iter().fold(0u64, |number, digit| number.wrapping_mul(10).wrapping_add(u64::from(digit - b'0')))
    };
    loop {
        let order = match (a.first(), b.first()) {
            (None, None) => return Ordering::Equal,
            (None, _) => return Ordering::Less,
            (_, None) => return Ordering::Greater,
            (Some(x), Some(y)) => match (x.is_ascii_digit(), y.is_ascii_digit()) {
                (true, true) => number(&mut a).cmp(&number(&mut b)),
                (true, false) => Ordering::Greater,
                (false, true) => Ordering::Less,
                (false, false) => {
                    let order = x.cmp(y);
                    (a, b) = (&a[1..], &b[1..]);
                    order
                }
            },
        };
        if order.is_ne() {
            return order;
        }
    }
}

/// The DT_SONAME of a 64-bit little-endian ELF file: <https://refspecs.linuxfoundation.org/elf/gabi4+/contents.html>.
fn soname(elf: &[u8]) -> Option<String> {
    const CLASS_64_LITTLE_ENDIAN: [u8; 2] = [2, 1];
    const PT_LOAD: u64 = 1;
    const PT_DYNAMIC: u64 = 2;
    const DT_STRTAB: u64 = 5;
    const DT_SONAME: u64 = 14;
    let number = |at: usize, size: usize| {
        let bytes = elf.get(at..at.checked_add(size)?)?;
        Some(bytes.iter().rev().fold(0u64, |number, byte| number << 8 | u64::from(*byte)))
    };
    let place = |at: usize| number(at, 8).and_then(|value| usize::try_from(value).ok());
    if elf.get(4..6)? != CLASS_64_LITTLE_ENDIAN {
        return None;
    }
    let (table, size, count) = (place(0x20)?, number(0x36, 2)? as usize, number(0x38, 2)? as usize);
    let headers = (0..count).filter_map(|at| table.checked_add(at * size));
    let of_type = |wanted: u64| headers.clone().filter(move |at| number(*at, 4) == Some(wanted));
    let dynamic = of_type(PT_DYNAMIC).next()?;
    let (begin, length) = (place(dynamic + 8)?, place(dynamic + 0x20)?);
    let tag = |wanted: u64| {
        let mut entries = (begin..begin.checked_add(length)?).step_by(16);
        entries.find(|at| number(*at, 8) == Some(wanted)).and_then(|at| place(at + 8))
    };
    let (strings, name) = (tag(DT_STRTAB)?, tag(DT_SONAME)?);
    // The string table is given as an address in memory: the segment that holds it tells where it lies in the file.
    let in_file = of_type(PT_LOAD).find_map(|at| {
        let (offset, address, size) = (place(at + 8)?, place(at + 0x10)?, place(at + 0x20)?);
        let within = strings.checked_sub(address).filter(|within| *within < size)?;
        offset.checked_add(within)
    })?;
    let text = elf.get(in_file.checked_add(name)?..)?;
    let end = memchr::memchr(0, text)?;
    Some(std::str::from_utf8(&text[..end]).ok()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_are_compared_as_numbers() {
        for (small, large) in
            [("libz.so.9", "libz.so.10"), ("liba.so", "libb.so"), ("libc.so", "libc.so.6"), ("lib-x", "lib1")]
        {
            assert_eq!(compare(small, large), Ordering::Less, "{small} {large}");
            assert_eq!(compare(large, small), Ordering::Greater, "{small} {large}");
        }
    }

    #[test]
    fn a_string_that_ends_another_one_shares_its_bytes() {
        let (table, offsets) = string_table(["libz.so.1", "/lib/libz.so.1", "x"].into_iter());
        let at = |string: &str| {
            let at = offsets[string];
            &table[at..at + string.len() + 1]
        };
        for string in ["libz.so.1", "/lib/libz.so.1", "x"] {
            assert_eq!(at(string), format!("{string}\0").as_bytes());
        }
        assert_eq!(table.len(), "/lib/libz.so.1".len() + 1 + 2);
    }

    #[test]
    fn bytes_that_are_no_library_have_no_name() {
        for bytes in [&b""[..], b"\x7fELF", b"\x7fELF\x02\x01\x01", &[0xff; 200]] {
            assert_eq!(soname(bytes), None);
        }
        let mut elf = [0xff; 200];
        elf[..6].copy_from_slice(b"\x7fELF\x02\x01");
        assert_eq!(soname(&elf), None);
    }
}
