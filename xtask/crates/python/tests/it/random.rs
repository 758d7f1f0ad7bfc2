//! Small random indexes: the resolver finds a set exactly where trying all of them finds one.

use python::{
    VersionSpecifiers,
    resolve::{Pin, ResolveError},
};

use crate::index::{Fake, fresh, requirements};

const PROJECTS: [&str; 4] = ["a", "b", "c", "d"];
const VERSIONS: [&str; 3] = ["1", "2", "3"];
const RANGES: [&str; 6] = ["", ">=2", "<3", "==1", "!=2", "==3"];

/// Knuth's generator: the same numbers in each run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }
}

/// A release and its needs: project, version, and pairs of a project and a range.
type Release = (usize, usize, Vec<(usize, usize)>);

fn universe(numbers: &mut Numbers) -> Vec<Release> {
    let mut releases = Vec::new();
    for project in 0..PROJECTS.len() {
        for version in 0..VERSIONS.len() {
            if numbers.below(5) == 0 {
                continue;
            }
            let needs = (0..numbers.below(3)).map(|_| (numbers.below(PROJECTS.len()), numbers.below(RANGES.len())));
            let needs = needs.collect::<Vec<_>>().into_iter().filter(|(need, _)| *need != project).collect();
            releases.push((project, version, needs));
        }
    }
    releases
}

fn admits(range: usize, version: usize) -> bool {
    let specifiers: VersionSpecifiers = RANGES[range].parse().unwrap();
    specifiers.contains(&VERSIONS[version].parse().unwrap())
}

/// Whether `chosen` (of each project the index of a version, or none) satisfies `roots` and itself.
fn is_solution(releases: &[Release], roots: &[(usize, usize)], chosen: [Option<usize>; 4]) -> bool {
    let satisfied = |needs: &[(usize, usize)]| {
        needs.iter().all(|&(need, range)| chosen[need].is_some_and(|version| admits(range, version)))
    };
    let complete = chosen.iter().enumerate().all(|(project, version)| {
        version.is_none_or(|version| {
            releases.iter().any(|(at, of, needs)| (*at, *of) == (project, version) && satisfied(needs))
        })
    });
    complete && satisfied(roots)
}

fn all_choices() -> impl Iterator<Item = [Option<usize>; 4]> {
    (0..4_usize.pow(4))
        .map(|number| std::array::from_fn(|project| (number / 4_usize.pow(project as u32) % 4).checked_sub(1)))
}

#[test]
fn a_set_is_found_where_there_is_one() {
    let mut numbers = Numbers(7);
    let mut outcomes = [0, 0];
    for _ in 0..400 {
        let releases = universe(&mut numbers);
        let roots = [(0, numbers.below(RANGES.len())), (1 + numbers.below(3), numbers.below(RANGES.len()))];
        let text = |(project, range): (usize, usize)| format!("{}{}", PROJECTS[project], RANGES[range]);
        let lines: Vec<String> = releases
            .iter()
            .map(|(project, version, needs)| {
                let needs: String = needs.iter().map(|need| format!(" | {}", text(*need))).collect();
                format!("{} {}{needs}", PROJECTS[*project], VERSIONS[*version])
            })
            .collect();
        let index = Fake::new(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        let asked = format!("{}|{}", text(roots[0]), text(roots[1]));
        assert_eq!(requirements(&asked).len(), 2);
        let exists = all_choices().any(|chosen| is_solution(&releases, &roots, chosen));
        match fresh(&index, &asked) {
            Ok(pins) => {
                assert!(is_solution(&releases, &roots, chosen_of(&pins)), "{lines:#?}\n{asked}");
                outcomes[1] += 1;
            }
            Err(ResolveError::Conflict(facts)) => {
                assert!(!exists && !facts.is_empty(), "{lines:#?}\n{asked}\n{facts:#?}");
                outcomes[0] += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!(outcomes.iter().all(|&count| count > 50), "both outcomes are tried: {outcomes:?}");
}

fn chosen_of(pins: &[Pin]) -> [Option<usize>; 4] {
    std::array::from_fn(|project| {
        let pin = pins.iter().find(|pin| pin.name.as_str() == PROJECTS[project])?;
        VERSIONS.iter().position(|version| *version == pin.version.to_string())
    })
}
