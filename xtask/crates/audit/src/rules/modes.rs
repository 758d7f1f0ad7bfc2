//! Who may write, and who gains rights.

use assemble::Kind;

use super::Subject;
use crate::finding::{Finding, Rule};

const SETUID: u32 = 0o4000;
const SETGID: u32 = 0o2000;
const STICKY: u32 = 0o1000;
const OTHERS_WRITE: u32 = 0o002;
/// Where a file keeps the privileges that it gives to who runs it.
const CAPABILITIES: &str = "security.capability";

pub(super) fn check(subject: &mut Subject<'_>) {
    let mut findings = Vec::new();
    for (_, at) in subject.files.below("") {
        let entry = subject.image.entry(at);
        let (file, folder) = (matches!(entry.kind, Kind::File { .. }), entry.kind == Kind::Dir);
        let mode = entry.mode;
        let mut find = |rule, message| findings.push(Finding::new(rule, subject.image.place(at), message));
        // In a folder with the sticky bit nobody removes or replaces what is another's: /tmp.
        if mode & OTHERS_WRITE != 0 && (file || folder && mode & STICKY == 0) {
            find(Rule::WorldWritable, format!("has mode {mode:04o}"));
        }
        if file && mode & (SETUID | SETGID) != 0 {
            let (bit, owner) = match mode & SETUID {
                0 => ("setgid", format!("group {}", entry.gid)),
                _ => ("setuid", format!("user {}", entry.uid)),
            };
            find(Rule::Setuid, format!("is {bit}: mode {mode:04o}, {owner}"));
        }
        if file && entry.xattrs.iter().any(|(name, _)| name == CAPABILITIES) {
            find(Rule::Setuid, format!("has capabilities of its own ({CAPABILITIES})"));
        }
    }
    findings.into_iter().for_each(|finding| subject.find(finding));
}
