//! Two jars of one content become equal bytes, and what is somebody else's stays as it is.

mod common;

use std::fs::{self, File};

use camino::{Utf8Path, Utf8PathBuf};
use common::{How, PLAIN, folder, jar, jar_as, patch};
use dist::{Kept, Normalised, Options, Repository, normalise};
use zip::ZipArchive;

/// 2026-11-01T00:00:00Z
const EPOCH: u64 = 1_793_491_200;

fn run(folder: &Utf8Path) -> Normalised {
    normalise(folder, &Options { epoch: EPOCH, repository: None }).expect("normalised jars")
}

/// Text that compresses, and is longer than any buffer.
fn long() -> Vec<u8> {
    (0_u32..400_000).flat_map(|n| (n.wrapping_mul(2_654_435_761) >> 20).to_string().into_bytes()).collect()
}

#[test]
fn order_times_extra_fields_and_the_compressor_do_not_matter() {
    let long = long();
    let version = |user: &str, date: &str| format!("version=3.5.7\nuser={user}\ndate={date}\n").into_bytes();
    let manifest = |by: &str| format!("Manifest-Version: 1.0\r\nBuilt-By: {by}\r\n\r\n").into_bytes();
    let (ann, bob) = (version("ann", "2025-01-01T00:00:00Z"), version("bob", "2026-01-01T00:00:00Z"));
    let (by_ann, by_bob) = (manifest("ann"), manifest("bob"));
    let (_dir, folder) = folder();
    let first = folder.join("a/jars/spark-common-utils_2.12-3.5.7.jar");
    let second = folder.join("b/jars/spark-common-utils_2.12-3.5.7.jar");
    let name = "spark-version-info.properties";
    let entries: [(&str, &[u8]); 5] = [
        (name, &ann),
        ("org/apache/spark/Ü.class", &long),
        ("META-INF/MANIFEST.MF", &by_ann),
        ("org/", b""),
        ("META-INF/", b""),
    ];
    jar_as(&first, &entries, How { level: 9, year: 2026, extra: true });
    let entries: [(&str, &[u8]); 5] = [
        ("META-INF/", b""),
        ("META-INF/MANIFEST.MF", &by_bob),
        ("org/", b""),
        ("org/apache/spark/Ü.class", &long),
        (name, &bob),
    ];
    jar_as(&second, &entries, How { level: 1, ..PLAIN });

    let done = run(&folder);
    assert_eq!(fs::read(&first).unwrap(), fs::read(&second).unwrap());
    let rewritten: Vec<&Utf8PathBuf> = done.rewritten.iter().map(|jar| &jar.path).collect();
    assert_eq!(rewritten, [first.strip_prefix(&folder).unwrap(), second.strip_prefix(&folder).unwrap()]);
    let texts = |name: &str, what: &[&str]| (name.to_owned(), what.iter().map(|what| (*what).to_owned()).collect());
    let expected = [texts("META-INF/MANIFEST.MF", &["Built-By"]), texts(name, &["user=", "date="])];
    assert_eq!(done.rewritten[0].texts, expected);
    assert_eq!(blob::Digest::of(&fs::read(&first).unwrap()), done.rewritten[0].after);

    let mut zip = ZipArchive::new(File::open(&first).unwrap()).unwrap();
    let names: Vec<String> = zip.file_names().map(str::to_owned).collect();
    assert_eq!(names, ["META-INF/", "META-INF/MANIFEST.MF", "org/", "org/apache/spark/Ü.class", name]);
    for index in 0..zip.len() {
        let entry = zip.by_index_raw(index).unwrap();
        let time = entry.last_modified().unwrap();
        assert_eq!((time.year(), time.month(), time.day(), time.hour()), (2026, 11, 1, 0));
        assert_eq!((entry.comment(), entry.extra_data().unwrap_or_default()), ("", &[][..]));
    }
    let text = std::io::read_to_string(zip.by_name(name).unwrap()).unwrap();
    assert_eq!(text, "version=3.5.7\nuser=spark-images\ndate=2026-11-01T00:00:00Z\n");

    let again = run(&folder);
    assert_eq!((again.rewritten.len(), again.unchanged.len()), (0, 2));
}

#[test]
fn what_others_made_stays_byte_for_byte() {
    let (_dir, folder) = folder();
    let (dist, home) = (folder.join("dist"), folder.join("repository"));
    let entries: [(&str, &[u8]); 2] = [("b", b"b"), ("a", b"a")];
    jar(&dist.join("jars/guava-14.0.1.jar"), &entries);
    jar(&home.join("com/google/guava/guava/14.0.1/guava-14.0.1.jar"), &entries);
    // The same name and size, and other bytes: made anew under the name of an artifact.
    jar(&dist.join("jars/own-1.jar"), &entries);
    jar(&home.join("example/own/1/own-1.jar"), &[("b", b"b"), ("a", b"c")]);
    jar(&dist.join("jars/signed-1.jar"), &[("b", b"b"), ("META-INF/SIGNER.SF", b""), ("a", b"a")]);
    jar(&dist.join("python/lib/py4j-0.10.9.7-src.zip"), &entries);
    jar(&dist.join("python/lib/pyspark.zip"), &entries);
    jar(&dist.join("data/given.zip"), &entries);
    let before = |path: &str| fs::read(dist.join(path)).unwrap();
    let same = ["jars/guava-14.0.1.jar", "jars/signed-1.jar", "data/given.zip"];
    let old: Vec<Vec<u8>> = same.iter().map(|path| before(path)).collect();

    let repository = Repository::open(&home).unwrap();
    let options = Options { epoch: EPOCH, repository: Some(&repository) };
    let done = normalise(&dist, &options).unwrap();
    let kept: Vec<(&str, &Kept)> = done.kept.iter().map(|(path, why)| (path.as_str(), why)).collect();
    let fetched = Kept::Fetched("com.google.guava:guava:14.0.1".to_owned());
    let expected = [("jars/guava-14.0.1.jar", &fetched), ("jars/signed-1.jar", &Kept::Signed)];
    assert_eq!(kept, expected);
    let rewritten: Vec<&str> = done.rewritten.iter().map(|jar| jar.path.as_str()).collect();
    assert_eq!(rewritten, ["jars/own-1.jar", "python/lib/pyspark.zip"]);
    assert_eq!(same.iter().map(|path| before(path)).collect::<Vec<_>>(), old);
}

#[test]
fn a_jar_in_a_jar_is_not_touched() {
    let (_dir, folder) = folder();
    let inner = folder.join("inner.zip");
    jar(&inner, &[("b", b"b"), ("META-INF/MANIFEST.MF", b"Built-By: ann\n"), ("a", b"a")]);
    let inner = fs::read(&inner).unwrap();
    let outer = folder.join("jars/outer.jar");
    jar(&outer, &[("lib/inner.jar", &inner), ("a", b"a")]);
    assert_eq!(run(&folder).rewritten.len(), 1);
    let mut zip = ZipArchive::new(File::open(&outer).unwrap()).unwrap();
    let mut found = Vec::new();
    let mut entry = zip.by_name("lib/inner.jar").unwrap();
    assert_eq!(entry.compression(), zip::CompressionMethod::Stored);
    std::io::copy(&mut entry, &mut found).unwrap();
    assert_eq!(found, inner);
}

#[test]
fn what_cannot_be_kept_is_left_and_said() {
    let (_dir, folder) = folder();
    let entries: [(&str, &[u8]); 2] = [("name-one", b"b"), ("name-two", b"a")];
    for (file, to) in [("latin.jar", b"name-tw\xf6"), ("twice.jar", b"name-one")] {
        jar(&folder.join(file), &entries);
        patch(&folder.join(file), b"name-two", to);
    }
    let before = (fs::read(folder.join("latin.jar")).unwrap(), fs::read(folder.join("twice.jar")).unwrap());
    let done = run(&folder);
    assert_eq!((done.rewritten.len(), done.kept.len()), (0, 2), "{done:?}");
    let why: Vec<String> = done.kept.iter().map(|(path, why)| format!("{path}: {why:?}")).collect();
    assert!(why[0].starts_with("latin.jar: Unusual") && why[0].contains("no UTF-8"), "{why:?}");
    assert!(why[1].starts_with("twice.jar: Unusual") && why[1].contains("two entries"), "{why:?}");
    assert_eq!((fs::read(folder.join("latin.jar")).unwrap(), fs::read(folder.join("twice.jar")).unwrap()), before);
}

#[test]
fn a_damaged_jar_is_an_error_that_names_it_and_changes_nothing() {
    let (_dir, folder) = folder();
    let path = folder.join("jars/broken.jar");
    jar(&path, &[("a.class", &long()), ("b.class", b"b")]);
    let whole = fs::read(&path).unwrap();
    let mut flipped = whole.clone();
    flipped[2_000] ^= 0xff;
    for bytes in [&whole[..whole.len() / 2], &[], &flipped] {
        fs::write(&path, bytes).unwrap();
        let options = Options { epoch: EPOCH, repository: None };
        let error = normalise(&folder, &options).expect_err("an error").to_string();
        assert!(error.contains("jars/broken.jar"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), bytes);
        assert_eq!(fs::read_dir(folder.join("jars")).unwrap().count(), 1, "no temporary file is left");
    }
}

#[test]
fn a_text_of_any_claimed_size_is_not_held_in_memory() {
    let (_dir, folder) = folder();
    let path = folder.join("large.jar");
    let large = b"#Mon Nov 24 10:00:00 UTC 2025\n".repeat(100_000);
    jar(&path, &[("a.properties", &large), ("META-INF/MANIFEST.MF", b"Built-By: x\n")]);
    let done = run(&folder);
    assert_eq!(done.rewritten[0].texts.len(), 1, "only the manifest: {:?}", done.rewritten[0].texts);
    let mut zip = ZipArchive::new(File::open(&path).unwrap()).unwrap();
    assert_eq!(zip.by_name("a.properties").unwrap().size(), large.len() as u64);
    // A size that is a lie in the directory is found out by the bytes that are there.
    patch(&path, &(large.len() as u32).to_le_bytes(), &0x7fff_ffff_u32.to_le_bytes());
    let options = Options { epoch: EPOCH + 86_400, repository: None };
    let _ = normalise(&folder, &options);
    assert!(fs::metadata(&path).unwrap().len() < 1 << 20);
}

#[test]
fn times_before_zip_are_refused() {
    let (_dir, folder) = folder();
    let error = normalise(&folder, &Options { epoch: 0, repository: None }).expect_err("an error");
    assert_eq!(error.to_string(), "expected a time from 1980 to 2107, found 0 s after 1970");
}
