//! Doing the steps: archives go straight from the layout into the client.

use std::{
    collections::BTreeSet,
    io::{self, Write},
};

use assemble::{
    Layout,
    export::{self, Format, Named},
};
use blob::Digest;
use sandbox::Cancel;

use super::{Step, Wanted};
use crate::{Client, Failure};

/// What is told of an archive on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// So many bytes have been handed over.
    Bytes(u64),
    /// The target lacks a blob that it seemed to have: all is sent again, with nothing left out.
    Again,
}

pub(super) fn take(
    step: &Step,
    layout: &Layout,
    wanted: &[Wanted],
    sent: &(dyn Fn(Sent) + Sync),
    cancel: &Cancel,
) -> Result<(), Failure> {
    match step {
        Step::Call { client, arguments, lenient } => {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            match client.feed(&arguments, None, cancel) {
                Err(Failure::Refused { .. }) if *lenient => Ok(()),
                other => other.map(drop),
            }
        }
        Step::Archive { client, arguments, images, there, file } => {
            let archive = Archive { layout, images: images.iter().map(|&index| &wanted[index]).collect(), sent };
            let once = |there: &BTreeSet<Digest>| match file {
                true => through_file(client, arguments, &archive, there, cancel),
                false => through_pipe(client, arguments, &archive, there, cancel),
            };
            match once(there) {
                // What was there when it was looked at may be gone, and not every store can do without.
                Err(Failure::Refused { .. }) if !there.is_empty() => {
                    sent(Sent::Again);
                    once(&BTreeSet::new())
                }
                other => other,
            }
        }
    }
}

struct Archive<'a> {
    layout: &'a Layout,
    images: Vec<&'a Wanted>,
    sent: &'a (dyn Fn(Sent) + Sync),
}

impl Archive<'_> {
    fn write(&self, there: &BTreeSet<Digest>, out: &mut dyn Write) -> io::Result<()> {
        let images: Vec<Named<'_>> =
            self.images.iter().map(|wanted| Named { image: &wanted.image, names: &wanted.names }).collect();
        let mut counted = Counted { out, count: 0, sent: self.sent };
        export::archive_of(self.layout, &images, Format::DockerArchive, there, &mut counted).map_err(|error| {
            // The end of a reader that has gone is told by its kind.
            match &error {
                assemble::Error::Io { source, .. } if source.kind() == io::ErrorKind::BrokenPipe => {
                    io::Error::new(source.kind(), error)
                }
                _ => io::Error::other(error),
            }
        })
    }
}

fn through_pipe(
    client: &Client,
    arguments: &[String],
    archive: &Archive<'_>,
    there: &BTreeSet<Digest>,
    cancel: &Cancel,
) -> Result<(), Failure> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    client.feed(&arguments, Some(Box::new(|out| archive.write(there, out))), cancel).map(drop)
}

fn through_file(
    client: &Client,
    arguments: &[String],
    archive: &Archive<'_>,
    there: &BTreeSet<Digest>,
    cancel: &Cancel,
) -> Result<(), Failure> {
    // Beside the layout, where there is room for images.
    let folder = archive.layout.root().parent().unwrap_or(archive.layout.root());
    let failed = |source| Failure::Io { command: client.shown(&["load"]), source };
    let mut file = tempfile::Builder::new().prefix(".load-").suffix(".tar").tempfile_in(folder).map_err(failed)?;
    archive.write(there, &mut file).map_err(failed)?;
    let path = file.path().to_string_lossy().into_owned();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).chain([path.as_str()]).collect();
    client.feed(&arguments, None, cancel).map(drop)
}

/// Tells of each mebibyte.
struct Counted<'a> {
    out: &'a mut dyn Write,
    count: u64,
    sent: &'a (dyn Fn(Sent) + Sync),
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        let before = self.count >> 20;
        self.count += written as u64;
        if self.count >> 20 != before {
            (self.sent)(Sent::Bytes(self.count));
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
