//! The reader on real outputs of Maven 3.9.6: a project of two modules and their parent, built well and broken in turn.

use std::time::Duration;

use maven::{
    output::{Advice, Failure, Outcome, Phase, Reader},
    progress::{Times, progress},
};

/// A reader that has read `text`, one line a second.
fn read(text: &str) -> Reader {
    let mut reader = Reader::new();
    for (second, line) in text.lines().enumerate() {
        reader.push(line, Duration::from_secs(second as u64));
    }
    reader
}

fn failure(text: &str) -> Failure {
    read(text).failure(Some(1)).expect("a failure")
}

fn advice(failure: &Failure) -> Vec<Advice> {
    failure.advice.iter().map(|(advice, _)| *advice).collect()
}

#[test]
fn a_good_build_is_followed_from_module_to_module() {
    let mut reader = Reader::new();
    let text = include_str!("outputs/good.txt");
    let mut seen: Vec<(String, usize, Option<String>)> = Vec::new();
    for line in text.lines() {
        reader.push(line, Duration::ZERO);
        let last = reader.running().last().map(|module| (module.name.clone(), module.number, module.goal.clone()));
        if last.as_ref() != seen.last() {
            seen.extend(last);
        }
    }
    let started: Vec<_> =
        seen.iter().filter(|(_, _, goal)| goal.is_none()).map(|(name, n, _)| (name.as_str(), *n)).collect();
    // The script's question to Maven is a run of its own, which reaches the parent only.
    let wanted = [("Demo Parent", 1), ("Demo Parent", 1), ("Demo Project Core", 2), ("Demo Project App", 3)];
    assert_eq!(started, wanted);
    let at = |goal: Option<&str>| {
        let is = |(name, _, of): &(String, usize, Option<String>)| name == "Demo Project Core" && of.as_deref() == goal;
        seen.iter().position(is).expect("the module at this goal")
    };
    assert!(at(None) < at(Some("compiler:compile")));
    assert_eq!(reader.order(), ["Demo Parent", "Demo Project Core", "Demo Project App"]);
    assert_eq!((reader.phase(), reader.running().len(), reader.total()), (Phase::Collecting, 0, 3));
    assert!(reader.finished().iter().all(|module| module.outcome == Outcome::Success && module.seconds > Some(0.1)));
    assert_eq!(reader.failure(Some(0)), None);
    assert_eq!(reader.failure(None), None);
}

#[test]
fn modules_at_the_same_time_are_told_apart() {
    let text = include_str!("outputs/parallel.txt");
    let mut reader = Reader::new();
    let mut most = 0;
    for line in text.lines() {
        reader.push(line, Duration::ZERO);
        most = most.max(reader.running().len());
        if line.contains("jar:jar") && line.contains("demo-core") {
            assert_eq!(reader.running().last().expect("a module").name, "Demo Project Core");
        }
    }
    assert_eq!((reader.threads(), most), (2, 2));
    let seconds: Vec<_> = reader.finished().iter().map(|module| (module.name.as_str(), module.seconds)).collect();
    let wanted = [("Demo Parent", Some(1.002)), ("Demo Project Core", Some(6.717)), ("Demo Project App", Some(1.110))];
    assert_eq!(seconds, wanted);
}

#[test]
fn compile_errors_of_java_are_given_once_in_any_colour() {
    let plain = failure(include_str!("outputs/bad-java.txt"));
    let shown = "Demo Project Core failed in maven-compiler-plugin:compile
  Compilation failure
  /src/core/src/main/java/example/Core.java:[1,71] incompatible types: java.lang.String cannot be converted to int
  /src/core/src/main/java/example/Core.java:[1,97] cannot find symbol
    symbol:   variable three
    location: class example.Core";
    assert_eq!(plain.to_string(), shown);
    assert_eq!(failure(include_str!("outputs/bad-java-colour.txt")).to_string(), shown);
    assert_eq!(failure(include_str!("outputs/bad-java-parallel.txt")).to_string(), shown);
}

#[test]
fn compile_errors_of_scala_keep_the_types() {
    let shown = "Demo Project Core failed in scala-maven-plugin:compile
  Execution scala-compile-first of goal net.alchim31.maven:scala-maven-plugin:4.8.0:compile failed: Compilation failed: InterfaceCompileFailed
  /src/core/src/main/scala/example/Two.scala:4: type mismatch;
   found   : String(\"2\")
   required: Int
  /src/core/src/main/scala/example/Two.scala:5: not found: value missing
  two errors found";
    assert_eq!(failure(include_str!("outputs/bad-scala.txt")).to_string(), shown);
}

#[test]
fn artifacts_that_no_registry_has_are_named() {
    let missing = failure(include_str!("outputs/missing.txt"));
    assert_eq!(missing.unresolved, ["example:gone:jar:2", "org.apache.spark:spark-nothing_2.12:jar:3.5.7"]);
    assert_eq!(advice(&missing), [Advice::Missing]);
    assert_eq!((missing.projects[0].module.as_str(), &missing.projects[0].goal), ("Demo Project App", &None));
    let parent = failure(include_str!("outputs/no-parent.txt"));
    assert_eq!(parent.unresolved, ["example:nowhere:pom:1.0"]);
    assert!(parent.projects.is_empty() && parent.errors[0].starts_with("Non-resolvable parent POM"), "{parent:?}");
    assert!(!parent.to_string().contains("Help") && !parent.to_string().contains("[ERROR]"), "{parent}");
    let offline = failure(include_str!("outputs/offline.txt"));
    assert_eq!(advice(&offline), [Advice::Offline]);
    assert_eq!(offline.unresolved, ["org.apache.maven.plugins:maven-clean-plugin:jar:3.2.0"]);
}

#[test]
fn a_checksum_that_differs_is_recognised() {
    let checksum = failure(include_str!("outputs/checksum.txt"));
    assert_eq!(advice(&checksum), [Advice::Checksum]);
    assert_eq!(checksum.unresolved, ["example:broken:jar:1.0"]);
    assert!(checksum.to_string().contains("expected '0000"), "{checksum}");
}

#[test]
fn a_full_heap_is_recognised_and_its_goal_known() {
    let heap = failure(include_str!("outputs/heap.txt"));
    assert_eq!(advice(&heap), [Advice::Heap]);
    assert_eq!(heap.to_string().lines().next(), Some("Demo Project Core failed in jar:jar"));
}

#[test]
fn failures_that_are_not_mavens_are_recognised() {
    for (line, wanted) in [
        ("Error: JAVA_HOME is not set, cannot proceed.", Advice::JavaHome),
        ("Could not locate Maven command: '/opt/maven/bin/mvn'.", Advice::NoMaven),
        ("./dev/make-distribution.sh: line 171: git: command not found", Advice::NoProgram),
        ("Hunk #1 FAILED at 40.", Advice::Patch),
        ("1 out of 1 hunk FAILED -- saving rejects to file hadoop-cloud/pom.xml.rej", Advice::Patch),
        ("cp: error writing 'dist/jars/a.jar': No space left on device", Advice::Disk),
        ("java.lang.OutOfMemoryError: GC overhead limit exceeded", Advice::Heap),
        ("/opt/maven/bin/mvn: line 206:   312 Killed", Advice::Killed),
        ("# There is insufficient memory for the Java Runtime Environment to continue.", Advice::NativeMemory),
        (
            "[ERROR] Rule 0: RequireMavenVersion failed: Detected Maven Version: 3.8.7 is not in the allowed range [3.9.6,).",
            Advice::Version,
        ),
    ] {
        let failure = failure(line);
        assert_eq!(advice(&failure), [wanted], "{line}");
        assert!(failure.to_string().contains(&wanted.to_string()), "{failure}");
        assert_eq!(read(&format!("+ echo '{line}'\n[INFO] BUILD SUCCESS")).failure(Some(0)), None);
    }
    assert_eq!(advice(&read("Building with...").failure(Some(137)).expect("a failure")), [Advice::Killed]);
    // make-distribution.sh of 3.5 pipes Maven's answer through grep and tail, and `set -e` ends it in silence.
    assert_eq!(
        advice(&read("+ SPARK_HOME=/src\n++ mvn help:evaluate").failure(Some(1)).expect("one")),
        [Advice::Hidden]
    );
}

#[test]
fn what_was_cut_off_names_the_module_at_work() {
    let text = include_str!("outputs/good.txt");
    let cut = text.rfind("compiler:3.11.0:compile (default-compile) @ demo-app").expect("the goal");
    let reader = read(&format!("Building with...\n{}\n", text[..cut + 60].trim_end()));
    let killed = reader.failure(Some(137)).expect("a failure");
    assert!(killed.to_string().starts_with("Demo Project App failed in compiler:compile\n"), "{killed}");
    assert_eq!(reader.failure(None), None);
}

#[test]
fn progress_is_one_line_with_the_time_left() {
    let line =
        |reader: &Reader, seconds, times: &Times| progress(reader, Duration::from_secs(seconds), times).to_string();
    let mut reader = Reader::new();
    let times: Times =
        serde_json::from_str(r#"{"Parent": 60.0, "Core": 540.0, "SQL": 1200.0, "Hive": 600.0}"#).unwrap();
    assert_eq!(line(&reader, 20, &times), "Maven reads the projects, 20 s");
    let order = ["Parent", "Core", "SQL", "Hive", "New"];
    let mut push = |text: &str, at| reader.push(text, Duration::from_secs(at));
    push("[INFO] Reactor Build Order:", 100);
    for name in order {
        push(&format!("[INFO] {name}                [jar]"), 100);
    }
    for (number, name, at) in [(1, "Parent", 100), (2, "Core", 220)] {
        push(&format!("[INFO] -----< example:{name} >-----"), at);
        push(&format!("[INFO] Building {name} 1.0    [{number}/5]"), at);
    }
    push("[INFO] --- scala:4.8.0:compile (scala-compile-first) @ Core ---", 221);
    // One module says too little of the speed: Core, SQL, Hive and the mean for New are 49 minutes.
    assert_eq!(line(&reader, 220, &times), "module 2 of 5: Core, scala:compile, 3 min 40 s, about 50 min left");
    assert_eq!(line(&reader, 220, &Times::default()), "module 2 of 5: Core, scala:compile, 3 min 40 s");
    for (number, name, at) in [(3, "SQL", 1_300), (4, "Hive", 3_700)] {
        reader.push(&format!("[INFO] -----< example:{name} >-----"), Duration::from_secs(at));
        reader.push(&format!("[INFO] Building {name} 1.0    [{number}/5]"), Duration::from_secs(at));
    }
    // Twice as slow as before: 1200 s for Hive, 1200 s for New.
    assert_eq!(line(&reader, 3_700, &times), "module 4 of 5: Hive, 1 h 1 min, about 40 min left");
    assert_eq!(line(&reader, 9_999, &times), "module 4 of 5: Hive, 2 h 46 min, about 20 min left");
    assert!(line(&reader, 3_700, &Times::default()).ends_with(", about 40 min left"));
    let newer = Times::of(&reader);
    assert_eq!(newer.seconds.get("SQL"), Some(&2_400.0));
    assert_eq!(times.updated(newer).seconds.len(), 4);
}
