//! Commands about one built image.

use anyhow::{Result, bail};
use catalog::{Catalog, Image, Selection};

/// The one image that `name` means.
pub(crate) fn one<'a>(catalog: &'a Catalog, name: &str) -> Result<&'a Image> {
    let with = catalog.table.groups.keys().cloned().collect();
    let selection = Selection { images: vec![name.to_owned()], sparks: Vec::new(), with };
    match selection.chosen(catalog)?.as_slice() {
        [image] => Ok(image),
        several => {
            let names: Vec<String> = several.iter().map(|image| format!("  {}", image.reference)).collect();
            bail!("`{name}` means several images; name one:\n{}", names.join("\n"))
        }
    }
}

/// What to say when an image is not there.
pub(crate) fn not_built(image: &Image) -> String {
    format!("{0} is not built\nto build it: cargo xtask build-layers {0}", image.reference)
}
