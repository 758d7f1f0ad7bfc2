//! Commands about one built image.

use anyhow::{Error, Result, bail};
use catalog::{Catalog, Image, Platform, Selection};

use crate::platform::{flags, label};

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

/// The platform that a command about one image is for.
pub(crate) fn one_platform(catalog: &Catalog, asked: Option<&String>) -> Result<Platform> {
    let asked: Vec<String> = asked.into_iter().cloned().collect();
    let platforms = catalog.table.platforms(&asked).map_err(Error::msg)?;
    Ok(platforms.first().copied().unwrap_or_else(|| catalog.table.default_platform()))
}

/// What to say when an image is not there.
pub(crate) fn not_built(catalog: &Catalog, image: &Image, platform: Platform) -> String {
    let (label, flags) = (label(catalog, platform, image), flags(catalog, platform, &[image]));
    format!("{label} is not built\nto build it: cargo xtask build-layers {}{flags}", image.reference)
}
