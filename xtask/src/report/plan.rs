//! A plan, for people and for programs.

use std::collections::BTreeSet;

use anyhow::Result;
use catalog::{Catalog, Decision, Plan};
use serde_json::json;

use super::text::count;
use crate::platform;

/// Prints one line for each image, and its reasons if they are wanted.
///
/// `compiled` are the Spark versions that have to be compiled first.
pub(crate) fn print(catalog: &Catalog, plans: &[Plan<'_>], compiled: &BTreeSet<String>, why: bool) {
    for version in compiled {
        println!("compile  Spark {version}");
    }
    let (mut build, mut cached, mut blocked) = (0, 0, 0);
    for (platform, planned) in plans.iter().flat_map(|plan| plan.images.iter().map(|one| (plan.platform, one))) {
        let name = platform::label(catalog, platform, planned.image);
        let reasons: Vec<String> = match &planned.decision {
            Decision::Cached(_) => {
                cached += 1;
                println!("cached   {name}");
                Vec::new()
            }
            Decision::Build(reasons) => {
                build += 1;
                println!("build    {name}");
                reasons.iter().map(ToString::to_string).collect()
            }
            Decision::Blocked(reasons) => {
                blocked += 1;
                println!("blocked  {name}");
                reasons.clone()
            }
        };
        // A blocked image always says why: nothing is silently missing.
        if why || matches!(planned.decision, Decision::Blocked(_)) {
            for reason in reasons.iter().take(8) {
                println!("           {reason}");
            }
            if reasons.len() > 8 {
                println!("           and {} more", count(reasons.len() - 8, "reason"));
            }
        }
    }
    println!("{build} to build, {cached} cached, {blocked} blocked");
}

/// Prints the plans as a JSON list, parents first.
pub(crate) fn json(plans: &[Plan<'_>]) -> Result<()> {
    let images: Vec<_> = plans
        .iter()
        .flat_map(|plan| plan.images.iter().map(|one| (plan.platform, one)))
        .map(|(platform, planned)| {
            let (state, why) = match &planned.decision {
                Decision::Cached(digest) => ("cached", json!({ "digest": digest })),
                Decision::Build(reasons) => ("build", json!({ "reasons": reasons })),
                Decision::Blocked(reasons) => ("blocked", json!({ "reasons": reasons })),
            };
            let name = planned.image.reference.to_string();
            json!({ "image": name, "platform": platform.to_string(), "state": state, "detail": why })
        })
        .collect();
    println!("{}", serde_json::to_string_pretty(&images)?);
    Ok(())
}
