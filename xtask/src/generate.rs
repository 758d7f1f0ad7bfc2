//! What is rendered from table and image files into files of the repository. Whoever changes the table runs all of it here.

use anyhow::Result;

use crate::{docs::Documents, workspace::Workspace};

/// Writes all of it, but the lock: that needs the registries.
///
/// # Errors
/// Table or image files are not sound; a file cannot be read, rendered or written.
pub(crate) fn all(workspace: &Workspace) -> Result<()> {
    for (path, document) in Documents::read(workspace)?.stale() {
        document.write(&workspace.root, path)?;
    }
    Ok(())
}
