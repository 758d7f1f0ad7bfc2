//! Where registries were found, what was looked at, whether they answer, and where their credentials are.

use ::registries::{Endpoint, Kind, Looked};
use serde_json::{Value, json};

use super::{
    Finding, Section, State, explain,
    files::{Files, Has},
    needs::Needs,
    network,
    reach::{Answer, Reach, endpoints, place},
};

pub(super) fn look(needs: &Needs, reach: &[Reach]) -> Section {
    let registries = &needs.machine.registries;
    let needed = needs.kinds();
    let mut findings: Vec<Finding> = registries
        .warnings
        .iter()
        .map(|warning| Finding { state: State::Warning, what: warning.clone(), remedy: None })
        .collect();
    for kind in Kind::ALL {
        let severity = if needed.contains(&kind) { State::Problem } else { State::Warning };
        if let Err(missing) = registries.require(&[kind]) {
            // The last line of the message is the variable to set.
            let text = missing.to_string();
            let (what, set) = text.rsplit_once('\n').unwrap_or((&text, ""));
            let remedy = format!("cargo xtask setup --{kind} URL; or {set}");
            findings.push(Finding::new(severity, what, remedy));
            continue;
        }
        let serves = reach.iter().any(|one| one.kind == kind && matches!(one.answer, Answer::Serves));
        // Another mirror takes its place.
        let severity = if serves { State::Warning } else { severity };
        for (_, number, endpoint, _) in endpoints(registries).filter(|(of, ..)| *of == kind) {
            let answer = reach.iter().find(|one| one.kind == kind && one.number == number).map(|one| &one.answer);
            findings.push(finding(needs, kind, endpoint, answer, severity));
        }
        findings.push(Finding::note(looked_at(&registries.looked_at, kind)));
    }
    Section::new("registries", findings)
}

/// The places that were looked at for a kind: what those had to say that had something, and the names of the others.
fn looked_at(looked: &[Looked], kind: Kind) -> String {
    let of_kind = || looked.iter().filter(|looked| looked.kind == kind);
    let says_nothing = |looked: &&Looked| {
        ["not set", "no such file"].contains(&looked.found.as_str()) || looked.found == format!("nothing for {kind}")
    };
    let silent: Vec<&str> = of_kind().filter(says_nothing).map(|looked| looked.place.as_str()).collect();
    let told = of_kind().filter(|looked| !says_nothing(looked));
    let told: String = told.map(|looked| format!("\n  {}: {}", looked.place, looked.found)).collect();
    format!("{kind} was looked for; nothing in {}{told}", silent.join(", "))
}

fn finding(needs: &Needs, kind: Kind, endpoint: &Endpoint, answer: Option<&Answer>, severity: State) -> Finding {
    let credentials = endpoint
        .auth_found_in
        .as_ref()
        .map_or_else(|| "no credentials".to_owned(), |place| format!("credentials of {place}"));
    let route = network::route(&needs.machine, endpoint);
    let what = |answers: &str| {
        format!("{kind} {} {answers}\nfound in {}; {credentials}; {route}", endpoint.url, endpoint.found_in)
    };
    match answer {
        None => Finding::fine(what("was not asked")),
        Some(Answer::Serves) => Finding::fine(what("answers")),
        Some(Answer::Lacks(status)) => Finding::new(
            State::Warning,
            what(&format!("answers {status} for something that it should have")),
            format!("is this the address of the {}? cargo xtask setup --{kind} URL", place(kind)),
        ),
        Some(Answer::Refuses(status)) => {
            Finding::new(severity, what(&format!("refuses ({status})")), explain::refused(kind, endpoint, *status))
        }
        Some(Answer::Fails(error)) => {
            Finding::new(severity, what(&format!("does not answer: {error}")), explain::failed(kind, endpoint, error))
        }
    }
}

/// Each registry with what it was asked, for programs.
pub(super) fn facts(needs: &Needs, reach: &[Reach], files: &Files) -> Value {
    let registries = &needs.machine.registries;
    let list: Vec<Value> = endpoints(registries)
        .map(|(kind, number, endpoint, _)| {
            let answer =
                reach.iter().find(|one| one.kind == kind && one.number == number).map(|one| match &one.answer {
                    Answer::Serves => json!({ "state": "serves" }),
                    Answer::Lacks(status) => json!({ "state": "lacks", "status": status }),
                    Answer::Refuses(status) => json!({ "state": "refuses", "status": status }),
                    Answer::Fails(error) => json!({ "state": "fails", "error": error.to_string() }),
                });
            let said = files.0.get(&(Some(kind), number));
            let named = |is: &dyn Fn(&Has) -> bool| {
                let ids = said.into_iter().flatten().filter(|(_, has)| is(has));
                ids.map(|(id, _)| id.to_string()).collect::<Vec<_>>()
            };
            json!({
                "kind": kind.name(),
                "url": endpoint.url.as_str(),
                "found-in": endpoint.found_in,
                "credentials-in": endpoint.auth_found_in,
                "proxy": network::proxy(&needs.machine, endpoint),
                "answer": answer,
                "has": named(&|has| *has == Has::Yes).len(),
                "lacks": named(&|has| *has == Has::No),
                "not-told": named(&|has| !matches!(has, Has::Yes | Has::No)),
            })
        })
        .collect();
    let looked: Vec<Value> = registries
        .looked_at
        .iter()
        .map(|looked| json!({ "kind": looked.kind.name(), "place": looked.place, "found": looked.found }))
        .collect();
    json!({ "found": list, "looked-at": looked })
}
