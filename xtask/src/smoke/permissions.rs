//! Who may do what in an image, judged from the owners and modes that its layers record.
//!
//! Where a single uid is mapped the kernel enforces no owner and no group, so nothing that a job does there proves that
//! an image works under another uid. The layers know.

use anyhow::Result;
use catalog::Smoke;
use sandbox::{Access, Identity, Root};

use super::Verdict;
use crate::report::text::count;

/// Judges that `who` may write to and read what the table promises.
pub(super) fn judge(root: &Root, who: &Identity, smoke: &Smoke) -> Result<Verdict> {
    let mut wrong = Vec::new();
    let wanted = [(Access::Write, "writable", &smoke.writable), (Access::Read, "readable", &smoke.readable)];
    for (access, word, paths) in wanted {
        for path in paths {
            if !root.allows(who, access, path.as_str().into())? {
                wrong.push(format!("{path} is not {word} for uid {}, gid {}", who.uid, who.gid));
            }
        }
    }
    let paths = smoke.writable.len() + smoke.readable.len();
    Ok(match wrong.is_empty() {
        true => Verdict::Passed(format!("uid {}, gid {}: {}", who.uid, who.gid, count(paths, "path"))),
        false => Verdict::Failed(wrong.join("; ")),
    })
}
