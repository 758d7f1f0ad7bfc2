//! Tar headers: POSIX ustar, with a pax header where ustar has no room.
//!
//! The same entry always gives the same bytes: no clock, no host names, no user names.

use tar::{EntryType, Header};

use super::{plan::Planned, tree::Body};

const BLOCK: usize = 512;
/// The largest number in an octal field of seven digits.
const MAX_7: u64 = 0o7_777_777;
/// The largest number in an octal field of eleven digits.
const MAX_11: u64 = 0o77_777_777_777;

/// Appends the header of an entry to `out`.
pub(super) fn write(planned: &Planned, out: &mut Vec<u8>) {
    let node = &planned.node;
    let (kind, size, target) = match (&planned.link, &node.body) {
        (Some(target), _) => (EntryType::Link, 0, target.as_str()),
        (None, Body::Dir) => (EntryType::Directory, 0, ""),
        (None, Body::File(file)) => (EntryType::Regular, file.size, ""),
        (None, Body::Symlink { target }) => (EntryType::Symlink, 0, target.as_str()),
        (None, Body::Fifo) => (EntryType::Fifo, 0, ""),
        (None, Body::Device { block: true, .. }) => (EntryType::Block, 0, ""),
        (None, Body::Device { block: false, .. }) => (EntryType::Char, 0, ""),
    };
    let path = if node.is_dir() { format!("{}/", planned.path) } else { planned.path.clone() };
    let mtime = u64::try_from(node.mtime).unwrap_or(0);
    let (uid, gid) = (u64::from(node.uid), u64::from(node.gid));

    let mut header = Header::new_ustar();
    let mut pax = Vec::new();
    for (name, value) in node.xattrs.iter() {
        record(&mut pax, &format!("SCHILY.xattr.{name}"), value);
    }
    for (name, number, max) in
        [("gid", gid, MAX_7), ("mtime", mtime, MAX_11), ("size", size, MAX_11), ("uid", uid, MAX_7)]
    {
        if number > max {
            record(&mut pax, name, number.to_string().as_bytes());
        }
    }
    if let Some(fields) = header.as_ustar_mut() {
        text(&mut fields.linkname, "linkpath", target, &mut pax);
        text(&mut fields.name, "path", &path, &mut pax);
        if let Body::Device { major, minor, .. } = node.body {
            fields.set_device_major(major);
            fields.set_device_minor(minor);
        }
    }
    header.set_entry_type(kind);
    header.set_mode(node.mode);
    header.set_uid(if uid > MAX_7 { 0 } else { uid });
    header.set_gid(if gid > MAX_7 { 0 } else { gid });
    header.set_mtime(if mtime > MAX_11 { 0 } else { mtime });
    header.set_size(if size > MAX_11 { 0 } else { size });
    header.set_cksum();

    if !pax.is_empty() {
        let mut extension = Header::new_ustar();
        if let Some(fields) = extension.as_ustar_mut() {
            fields.name[..11].copy_from_slice(b"pax_headers");
        }
        extension.set_entry_type(EntryType::XHeader);
        extension.set_mode(0o644);
        extension.set_uid(0);
        extension.set_gid(0);
        extension.set_mtime(0);
        extension.set_size(pax.len() as u64);
        extension.set_cksum();
        out.extend_from_slice(extension.as_bytes());
        out.extend_from_slice(&pax);
        pad(out, pax.len() as u64);
    }
    out.extend_from_slice(header.as_bytes());
}

/// Appends zeros up to the next block, after `size` bytes of content.
pub(super) fn pad(out: &mut Vec<u8>, size: u64) {
    let over = (size % BLOCK as u64) as usize;
    if over > 0 {
        out.resize(out.len() + BLOCK - over, 0);
    }
}

/// Fills a text field, or as much of it as there is room, with the whole in a pax record. The records also say that the
/// text is UTF-8, which ustar does not.
fn text(field: &mut [u8], name: &str, value: &str, pax: &mut Vec<u8>) {
    let bytes = value.as_bytes();
    if bytes.len() > field.len() || !value.is_ascii() {
        record(pax, name, bytes);
    }
    let length = bytes.len().min(field.len());
    field[..length].copy_from_slice(&bytes[..length]);
}

/// Appends `length name=value\n`, where the length counts itself.
fn record(pax: &mut Vec<u8>, name: &str, value: &[u8]) {
    let rest = name.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    pax.extend_from_slice(format!("{length} {name}=").as_bytes());
    pax.extend_from_slice(value);
    pax.push(b'\n');
}
