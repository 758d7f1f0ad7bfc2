//! What is known about failures that no compile error explains: how they are recognised, and one line of advice each.

use std::fmt;

/// A cause that is recognised by the words it leaves in the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Advice {
    /// The disk is full.
    Disk,
    /// The Java heap is too small.
    Heap,
    /// The space for classes or compiled code is too small.
    Metaspace,
    /// Scala's compiler recursed deeper than the stack is.
    Stack,
    /// The JVM got no memory from the system.
    NativeMemory,
    /// The JVM itself crashed.
    Crash,
    /// Something was killed, mostly by the kernel for want of memory.
    Killed,
    /// The user or the time limit ended it.
    Interrupted,
    /// There is no JAVA_HOME.
    JavaHome,
    /// There is no Maven where the script was told to find it.
    NoMaven,
    /// A program that the script needs is not there.
    NoProgram,
    /// A patch does not fit the source.
    Patch,
    /// Maven or Java is not of the version that the project asks for.
    Version,
    /// A file has another checksum than its registry says.
    Checksum,
    /// A file is needed and not there, and connections are not allowed.
    Offline,
    /// A registry lacks a file.
    Missing,
    /// A registry wants other credentials.
    Credentials,
    /// A registry cannot be reached.
    Unreachable,
    /// The certificate of a registry is not trusted.
    Certificate,
    /// Maven refuses registries without encryption.
    Blocked,
    /// The script asked Maven for a version, and kept the answer, an error, to itself.
    Hidden,
}

/// Words in a line, all of which must be there, and what they mean. The first that fits counts.
const SIGNS: &[(&[&str], Advice)] = &[
    (&["No space left on device"], Advice::Disk),
    (&["Disk quota exceeded"], Advice::Disk),
    (&["Java heap space"], Advice::Heap),
    (&["GC overhead limit exceeded"], Advice::Heap),
    (&["OutOfMemoryError: Metaspace"], Advice::Metaspace),
    (&["Metaspace -> [Help"], Advice::Metaspace),
    (&["CodeCache is full"], Advice::Metaspace),
    (&["java.lang.StackOverflowError"], Advice::Stack),
    (&["unable to create native thread"], Advice::NativeMemory),
    (&["insufficient memory for the Java Runtime"], Advice::NativeMemory),
    (&["fatal error has been detected by the Java Runtime"], Advice::Crash),
    (&["JAVA_HOME is not set"], Advice::JavaHome),
    (&["JAVA_HOME environment variable is not defined correctly"], Advice::JavaHome),
    (&["Could not locate Maven command"], Advice::NoMaven),
    (&[": command not found"], Advice::NoProgram),
    (&["Hunk #", "FAILED at"], Advice::Patch),
    (&["hunks FAILED -- saving rejects"], Advice::Patch),
    (&["hunk FAILED -- saving rejects"], Advice::Patch),
    (&["Detected Maven Version", "not in the allowed range"], Advice::Version),
    (&["Detected JDK", "not in the allowed range"], Advice::Version),
    (&["Checksum validation failed"], Advice::Checksum),
    (&["in offline mode and the artifact"], Advice::Offline),
    (&["PKIX path building failed"], Advice::Certificate),
    (&["Blocked mirror for repositories"], Advice::Blocked),
    (&["status code: 401"], Advice::Credentials),
    (&["status code: 403"], Advice::Credentials),
    (&["status code: 407"], Advice::Credentials),
    (&["status: 401"], Advice::Credentials),
    (&["status: 403"], Advice::Credentials),
    (&["status: 407"], Advice::Credentials),
    (&["Could not transfer artifact", "refused"], Advice::Unreachable),
    (&["Could not transfer artifact", "imed out"], Advice::Unreachable),
    (&["Could not transfer artifact", "nknown host"], Advice::Unreachable),
    (&["Could not transfer artifact", "unreachable"], Advice::Unreachable),
    (&["Could not transfer artifact", "Name or service not known"], Advice::Unreachable),
    (&["Could not transfer artifact", "name resolution"], Advice::Unreachable),
    (&["Could not find artifact"], Advice::Missing),
    (&["was not found in", "during a previous attempt"], Advice::Missing),
];

/// What a line says about the cause. Only lines of a run that failed count; a line of `set -x` never does.
pub(super) fn recognise(text: &str) -> Option<Advice> {
    if text.starts_with('+') {
        return None;
    }
    if text == "Killed" || text.ends_with(" Killed") {
        return Some(Advice::Killed);
    }
    SIGNS.iter().find(|(words, _)| words.iter().all(|word| text.contains(word))).map(|&(_, advice)| advice)
}

/// What the exit status says; `silent` where the output said nothing at all.
pub(super) fn of_exit(exit: Option<i32>, announced: bool, silent: bool) -> Option<Advice> {
    match exit? {
        137 => Some(Advice::Killed),
        129 | 130 | 143 => Some(Advice::Interrupted),
        _ if !announced && silent => Some(Advice::Hidden),
        _ => None,
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Disk => "the disk is full: a compile needs about 10 GB in the store and the temporary folder",
            Self::Heap => "the Java heap is too small: give Maven a larger -Xmx in MAVEN_OPTS",
            Self::Metaspace => "give Maven more room in MAVEN_OPTS: -XX:MaxMetaspaceSize, -XX:ReservedCodeCacheSize",
            Self::Stack => "the stack is too small for Scala's compiler: give Maven -Xss128m or more in MAVEN_OPTS",
            Self::NativeMemory => "the machine has no memory left for Java: end other programs, or use fewer threads (-T)",
            Self::Crash => "Java itself crashed: look for hs_err_pid*.log, and try another build of the JDK",
            Self::Killed => "a process was killed, mostly by the kernel for want of memory: give it more memory, or a smaller -Xmx",
            Self::Interrupted => "it was interrupted",
            Self::JavaHome => "JAVA_HOME must name a JDK, not a JRE: the folder that holds bin/javac",
            Self::NoMaven => "--mvn must name the executable of an unpacked Maven",
            Self::NoProgram => "a program that the build calls is not in the sandbox",
            Self::Patch => "a patch does not fit this version of the source: make it again against that version",
            Self::Version => "the project asks for another version of Maven or Java than the one that runs",
            Self::Checksum => "the registry serves a file that differs from its own checksum: clear it there, or use another mirror",
            Self::Offline => "the local repository lacks a file and connections are not allowed: compile once without --offline",
            Self::Missing => "no registry has this artifact: add one that has it with --registry maven=URL",
            Self::Credentials => "the registry refuses the credentials: look at the servers and proxies in Maven's settings.xml",
            Self::Unreachable => "the registry cannot be reached from here: look at its address and the proxy",
            Self::Certificate => "Java does not trust the registry's certificate: its authority must be in the sandbox's truststore",
            Self::Blocked => "Maven blocks registries over http unless a mirror in settings.xml names them",
            Self::Hidden => "make-distribution.sh asked Maven for the project's version and kept Maven's error to itself: run `mvn help:evaluate -Dexpression=project.version` with the same settings to see it",
        })
    }
}
