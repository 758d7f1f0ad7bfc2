//! `list`: the images of the table, and what is built of them. Asks nobody and needs no lock.

use std::process::ExitCode;

use anyhow::Result;
use catalog::{Catalog, Image, Platform};
use oci::Layout;
use serde_json::{Map, json};

use crate::{
    Checkout,
    records::{Built, Records},
    text::{bytes, table},
};

/// Prints the images of `catalog`, for people or as JSON.
///
/// # Errors
/// The index of the layout cannot be read. A record that cannot be read counts as not built.
pub fn run(checkout: &Checkout, catalog: &Catalog, as_json: bool) -> Result<ExitCode> {
    let layout = checkout.open_layout().ok();
    let names = layout.as_ref().map(Layout::named_manifests).transpose()?.unwrap_or_default();
    let built = |platform: Platform, image: &Image| {
        let built = Records::of(layout.as_ref()?, platform).get(image)?;
        names.get(&image.reference.to_string())?.contains(&built.record.manifest).then_some(built)
    };
    match as_json {
        true => json(catalog, built)?,
        false => text(catalog, built),
    }
    Ok(ExitCode::SUCCESS)
}

fn json(catalog: &Catalog, built: impl Fn(Platform, &Image) -> Option<Built>) -> Result<()> {
    let digest = |platform, image: &Image| built(platform, image).map(|built| built.record.manifest.to_string());
    let platforms = |image: &Image| {
        let platforms = catalog.table.platforms.iter();
        platforms.map(|&platform| (platform.to_string(), json!(digest(platform, image)))).collect::<Map<_, _>>()
    };
    let one = |image: &Image| {
        json!({
            "image": image.reference.to_string(),
            "also": image.also.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "id": image.id,
            "spark": image.spark,
            "variant": image.variant,
            "group": image.group,
            "about": image.about,
            "parents": image.parents.values().map(ToString::to_string).collect::<Vec<_>>(),
            "digest": digest(catalog.table.default_platform(), image),
            "platforms": platforms(image),
        })
    };
    let images: Vec<_> = catalog.images().iter().map(one).collect();
    println!("{}", serde_json::to_string_pretty(&images)?);
    Ok(())
}

fn text(catalog: &Catalog, built: impl Fn(Platform, &Image) -> Option<Built>) {
    let default = catalog.table.default_platform();
    // Who never builds for another platform is shown none.
    let is_used = |other: &Platform| catalog.images().iter().any(|image| built(*other, image).is_some());
    let others = catalog.table.platforms.iter().copied().filter(|&other| other != default);
    let others: Vec<Platform> = others.filter(is_used).collect();
    let row = |image: &Image| {
        let size = |platform| built(platform, image).map_or_else(|| "-".to_owned(), |built| bytes(built.size));
        let sizes = [default].into_iter().chain(others.iter().copied()).map(size);
        let rest = [image.group.clone().unwrap_or_default(), image.about.clone()];
        [image.reference.to_string()].into_iter().chain(sizes).chain(rest).collect()
    };
    let rows: Vec<Vec<String>> = catalog.images().iter().map(row).collect();
    let names: Vec<String> = others.iter().map(|other| other.to_string().to_uppercase()).collect();
    let columns = ["IMAGE", "BUILT"].into_iter().chain(names.iter().map(String::as_str)).chain(["GROUP", "ABOUT"]);
    let numbers: Vec<usize> = (1..2 + names.len()).collect();
    print!("{}", table(&columns.collect::<Vec<_>>(), &rows, &numbers));
}
