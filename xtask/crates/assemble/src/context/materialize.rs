//! Making a context into a real folder, for engines that know only folders.

use std::{
    fs::{self, File, FileTimes, Permissions},
    io::{self, BufWriter, Read, Write},
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    time::{Duration, SystemTime},
};

use camino::Utf8Path;
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps};

use super::{Context, Entry, FileEntry, mode};
use crate::{
    error::{Error, Result},
    source::{Content, Promise, Reader, Sink, Source},
};

/// Writes the context into `folder`, which is made and must not exist or be empty.
///
/// Modes are exactly 0644 and 0755 whatever the umask is, and the time of everything is `epoch`, in seconds since 1970.
/// A file that already looks so is linked instead of copied, if it lies in the same file system. All bytes are compared
/// with their digests.
///
/// # Errors
/// The folder holds something, something cannot be written, or a file does not have the bytes that it should.
pub fn materialize(context: &Context, folder: &Utf8Path, epoch: i64) -> Result<()> {
    fs::create_dir_all(folder).map_err(Error::io("making the folder", folder))?;
    if folder.read_dir().map_err(Error::io("reading", folder))?.next().is_some() {
        return Err(Error::Exists { path: folder.to_owned() });
    }
    let mut reader = Reader::default();
    for (path, entry) in context.iter() {
        let target = folder.join(path);
        let failed = |error| Error::io("writing", &target)(error);
        match entry {
            Entry::Dir => fs::create_dir(&target).map_err(failed)?,
            Entry::Symlink { target: text } => {
                symlink(text, &target).map_err(failed)?;
                let time = Timespec { tv_sec: epoch, tv_nsec: 0 };
                let times = Timestamps { last_access: time, last_modification: time };
                rustix::fs::utimensat(CWD, target.as_std_path(), &times, AtFlags::SYMLINK_NOFOLLOW)
                    .map_err(|error| failed(error.into()))?;
            }
            Entry::File(file) => write_file(&mut reader, path, file, &target, epoch)?,
        }
    }
    // A folder's time changes with every file that is put into it, so that it is set last, the deepest first.
    let folders = context.iter().filter(|(_, entry)| matches!(entry, Entry::Dir)).map(|(path, _)| folder.join(path));
    let folders: Vec<_> = std::iter::once(folder.to_owned()).chain(folders).collect();
    for folder in folders.iter().rev() {
        let failed = |error| Error::io("setting the mode and time of", folder)(error);
        fs::set_permissions(folder, Permissions::from_mode(0o755)).map_err(failed)?;
        File::open(folder).and_then(|opened| opened.set_times(times(epoch))).map_err(failed)?;
    }
    Ok(())
}

fn write_file(reader: &mut Reader, path: &str, file: &FileEntry, target: &Utf8Path, epoch: i64) -> Result<()> {
    struct To<W>(W, Box<[u8]>);
    impl<W: Write> Sink for To<W> {
        fn take(&mut self, reader: &mut dyn Read, limit: usize) -> io::Result<&[u8]> {
            let limit = limit.min(self.1.len());
            let count = reader.read(&mut self.1[..limit])?;
            self.0.write_all(&self.1[..count])?;
            Ok(&self.1[..count])
        }
    }
    let failed = |error| Error::io("writing", target)(error);
    let content = Content::Source(file.source.clone());
    let promise = Promise { digest: file.digest, size: file.size };
    let buffer = || vec![0; 256 * 1024].into_boxed_slice();
    if let Source::Path(source) = &file.source
        && looks_right(source, file, epoch)
        && fs::hard_link(source, target).is_ok()
    {
        return reader.read(path, &content, promise, &mut To(io::sink(), buffer()));
    }
    let created = File::create_new(target).map_err(failed)?;
    let mut to = To(BufWriter::new(created), buffer());
    reader.read(path, &content, promise, &mut to)?;
    let created = to.0.into_inner().map_err(|error| failed(error.into_error()))?;
    created.set_permissions(Permissions::from_mode(mode(file.executable))).map_err(failed)?;
    created.set_times(times(epoch)).map_err(failed)
}

/// Whether a link to `source` would have the mode and time that are wanted.
fn looks_right(source: &Utf8Path, file: &FileEntry, epoch: i64) -> bool {
    fs::symlink_metadata(source).is_ok_and(|found| {
        found.is_file()
            && found.mode() & 0o7777 == mode(file.executable)
            && (found.mtime(), found.mtime_nsec()) == (epoch, 0)
    })
}

fn times(epoch: i64) -> FileTimes {
    let distance = Duration::from_secs(epoch.unsigned_abs());
    let time = if epoch < 0 { SystemTime::UNIX_EPOCH - distance } else { SystemTime::UNIX_EPOCH + distance };
    FileTimes::new().set_accessed(time).set_modified(time)
}
