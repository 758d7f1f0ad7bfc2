//! `list`: the images of the table, and what is built of them. Asks nobody and needs no lock.

use std::process::ExitCode;

use anyhow::Result;
use catalog::{Catalog, Image};
use oci::Layout;
use serde_json::json;

use crate::{
    Checkout,
    records::Records,
    text::{bytes, table},
};

/// Prints the images of `catalog`, for people or as JSON.
///
/// # Errors
/// None that is expected: what cannot be read counts as not built.
pub fn run(checkout: &Checkout, catalog: &Catalog, as_json: bool) -> Result<ExitCode> {
    let layout = Layout::open(checkout.layout()).ok();
    let records = layout.as_ref().map(Records::of);
    let built = |image: &Image| records.as_ref().and_then(|records| records.get(image));
    if as_json {
        let images: Vec<_> = catalog
            .images()
            .iter()
            .map(|image| {
                json!({
                    "image": image.reference.to_string(),
                    "also": image.also.iter().map(ToString::to_string).collect::<Vec<_>>(),
                    "id": image.id,
                    "spark": image.spark,
                    "variant": image.variant,
                    "group": image.group,
                    "about": image.about,
                    "parents": image.parents.values().map(ToString::to_string).collect::<Vec<_>>(),
                    "digest": built(image).map(|built| built.record.manifest.to_string()),
                })
            })
            .collect();
        println!("{}", serde_json::to_string_pretty(&images)?);
        return Ok(ExitCode::SUCCESS);
    }
    let row = |image: &Image| {
        let state = built(image).map_or_else(|| "-".to_owned(), |built| bytes(built.size));
        vec![image.reference.to_string(), state, image.group.clone().unwrap_or_default(), image.about.clone()]
    };
    let rows: Vec<Vec<String>> = catalog.images().iter().map(row).collect();
    print!("{}", table(&["IMAGE", "BUILT", "GROUP", "ABOUT"], &rows, &[1]));
    Ok(ExitCode::SUCCESS)
}
