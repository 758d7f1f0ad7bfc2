//! Environment markers: the condition after the `;` of a requirement.
//!
//! Source: PyPA's [environment markers](https://packaging.python.org/en/latest/specifications/dependency-specifiers/#environment-markers).

use std::{fmt, str::FromStr};

use pep440_rs::{Version, VersionSpecifier};

use crate::{name::PackageName, wheel::Target};

/// A condition on the interpreter, the system and the extra that asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Marker {
    /// All of them hold.
    And(Vec<Marker>),
    /// One of them holds.
    Or(Vec<Marker>),
    /// One comparison.
    Compare(Comparison),
}

/// A comparison of a variable with a literal, in either order, or of two of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    left: Operand,
    operator: Operator,
    right: Operand,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Operand {
    Variable(Variable),
    Literal(String),
}

/// Names on both sides, so that reading and writing cannot differ. The first name of each is the one that is written,
/// the others are those of PEP 345.
macro_rules! words {
    ($(#[$doc:meta])* $kind:ident { $($variant:ident: $first:literal $(| $alias:literal)*,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        enum $kind { $($variant,)* }

        impl $kind {
            fn from_word(word: &str) -> Option<Self> {
                match word { $($first $(| $alias)* => Some(Self::$variant),)* _ => None }
            }

            fn word(self) -> &'static str {
                match self { $(Self::$variant => $first,)* }
            }
        }
    };
}

words!(Variable {
    OsName: "os_name" | "os.name",
    SysPlatform: "sys_platform" | "sys.platform",
    PlatformMachine: "platform_machine" | "platform.machine",
    PlatformPythonImplementation: "platform_python_implementation"
        | "platform.python_implementation"
        | "python_implementation",
    PlatformRelease: "platform_release",
    PlatformSystem: "platform_system",
    PlatformVersion: "platform_version" | "platform.version",
    PythonVersion: "python_version",
    PythonFullVersion: "python_full_version",
    ImplementationName: "implementation_name",
    ImplementationVersion: "implementation_version",
    Extra: "extra",
});

words!(Operator {
    Exact: "===",
    Equal: "==",
    NotEqual: "!=",
    LessEqual: "<=",
    GreaterEqual: ">=",
    Compatible: "~=",
    Less: "<",
    Greater: ">",
    In: "in",
    NotIn: "not in",
});

/// The values of the variables for one interpreter.
#[derive(Debug, Clone)]
pub struct Environment {
    python_version: String,
    python_full_version: String,
    machine: String,
}

impl Environment {
    /// CPython on Linux, as `target` says. The kernel's release and version are unknown when an image is made: empty.
    pub fn of(target: &Target) -> Self {
        let (major, minor, patch) = target.python;
        Self {
            python_version: format!("{major}.{minor}"),
            python_full_version: format!("{major}.{minor}.{patch}"),
            machine: target.arch.to_string(),
        }
    }

    fn value<'a>(&'a self, variable: Variable, extra: Option<&'a PackageName>) -> &'a str {
        match variable {
            Variable::OsName => "posix",
            Variable::SysPlatform => "linux",
            Variable::PlatformMachine => &self.machine,
            Variable::PlatformPythonImplementation => "CPython",
            Variable::PlatformRelease | Variable::PlatformVersion => "",
            Variable::PlatformSystem => "Linux",
            Variable::PythonVersion => &self.python_version,
            Variable::PythonFullVersion | Variable::ImplementationVersion => &self.python_full_version,
            Variable::ImplementationName => "cpython",
            Variable::Extra => extra.map_or("", PackageName::as_str),
        }
    }
}

impl Marker {
    /// Whether the condition holds. `extra` is the extra on whose behalf it is asked, if any.
    pub fn holds(&self, environment: &Environment, extra: Option<&PackageName>) -> bool {
        match self {
            Self::And(all) => all.iter().all(|marker| marker.holds(environment, extra)),
            Self::Or(any) => any.iter().any(|marker| marker.holds(environment, extra)),
            Self::Compare(comparison) => comparison.holds(environment, extra),
        }
    }
}

impl Comparison {
    fn holds(&self, environment: &Environment, extra: Option<&PackageName>) -> bool {
        let value = |operand: &Operand| match operand {
            Operand::Variable(variable) => environment.value(*variable, extra).to_owned(),
            // A name is the same in every spelling; what is no name equals none.
            Operand::Literal(text) if self.is_about(&[Variable::Extra]) => {
                text.parse().map_or_else(|_| text.clone(), |name: PackageName| name.to_string())
            }
            Operand::Literal(text) => text.clone(),
        };
        let (left, right) = (value(&self.left), value(&self.right));
        let versions = [Variable::PythonVersion, Variable::PythonFullVersion, Variable::ImplementationVersion];
        if self.is_about(&versions)
            && let Ok(specifier) = VersionSpecifier::from_str(&format!("{}{right}", self.operator.word()))
            && let Ok(version) = Version::from_str(&left)
        {
            return specifier.contains(&version);
        }
        match self.operator {
            Operator::Exact | Operator::Equal => left == right,
            Operator::NotEqual => left != right,
            Operator::LessEqual => left <= right,
            Operator::GreaterEqual => left >= right,
            Operator::Less => left < right,
            Operator::Greater => left > right,
            Operator::In => right.contains(&left),
            Operator::NotIn => !right.contains(&left),
            // Compatible releases are defined for versions alone.
            Operator::Compatible => false,
        }
    }

    fn is_about(&self, variables: &[Variable]) -> bool {
        [&self.left, &self.right]
            .iter()
            .any(|operand| matches!(operand, Operand::Variable(variable) if variables.contains(variable)))
    }
}

impl Marker {
    /// Reads what follows the `;`.
    ///
    /// # Errors
    /// A sentence: what was expected and what was found.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut parser = Parser { rest: text, depth: 0 };
        let marker = parser.or()?;
        match parser.rest.trim_start() {
            "" => Ok(marker),
            rest => Err(format!("expected `and`, `or` or the end, found `{rest}`")),
        }
    }
}

/// How deep parentheses may nest: metadata comes from strangers, and the parser from a stack.
const DEEPEST: usize = 100;

struct Parser<'a> {
    rest: &'a str,
    depth: usize,
}

impl Parser<'_> {
    fn or(&mut self) -> Result<Marker, String> {
        let mut any = vec![self.and()?];
        while self.eat_word("or") {
            any.push(self.and()?);
        }
        Ok(if any.len() == 1 { any.remove(0) } else { Marker::Or(any) })
    }

    fn and(&mut self) -> Result<Marker, String> {
        let mut all = vec![self.one()?];
        while self.eat_word("and") {
            all.push(self.one()?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Marker::And(all) })
    }

    fn one(&mut self) -> Result<Marker, String> {
        if self.eat("(") {
            self.depth += 1;
            if self.depth > DEEPEST {
                return Err(format!("expected at most {DEEPEST} parentheses inside each other"));
            }
            let marker = self.or()?;
            self.depth -= 1;
            return if self.eat(")") { Ok(marker) } else { Err(self.expected("`)`")) };
        }
        let left = self.operand()?;
        let operator = self.operator()?;
        let right = self.operand()?;
        Ok(Marker::Compare(Comparison { left, operator, right }))
    }

    fn operand(&mut self) -> Result<Operand, String> {
        for quote in ["'", "\""] {
            if self.eat(quote) {
                let (literal, rest) = self.rest.split_once(quote).ok_or_else(|| self.expected("a closing quote"))?;
                self.rest = rest;
                return Ok(Operand::Literal(literal.to_owned()));
            }
        }
        let rest = self.rest.trim_start();
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '.')).unwrap_or(rest.len());
        let variable = Variable::from_word(&rest[..end]).ok_or_else(|| self.expected("a variable or a quoted text"))?;
        self.rest = &rest[end..];
        Ok(Operand::Variable(variable))
    }

    fn operator(&mut self) -> Result<Operator, String> {
        if self.eat_word("in") {
            return Ok(Operator::In);
        }
        if self.eat_word("not") {
            return if self.eat_word("in") { Ok(Operator::NotIn) } else { Err(self.expected("`in` after `not`")) };
        }
        let rest = self.rest.trim_start();
        let end = rest.find(|c| !matches!(c, '<' | '>' | '=' | '!' | '~')).unwrap_or(rest.len());
        let operator = Operator::from_word(&rest[..end]).ok_or_else(|| self.expected("an operator"))?;
        self.rest = &rest[end..];
        Ok(operator)
    }

    fn eat(&mut self, token: &str) -> bool {
        match self.rest.trim_start().strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let goes_on = |rest: &str| rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        match self.rest.trim_start().strip_prefix(word) {
            Some(rest) if !goes_on(rest) => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    fn expected(&self, what: &str) -> String {
        match self.rest.trim() {
            "" => format!("expected {what}, found the end of the marker"),
            rest => format!("expected {what}, found `{rest}`"),
        }
    }
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (list, word) = match self {
            Self::Compare(Comparison { left, operator, right }) => {
                return write!(f, "{left} {} {right}", operator.word());
            }
            Self::And(all) => (all, " and "),
            Self::Or(any) => (any, " or "),
        };
        for (index, marker) in list.iter().enumerate() {
            if index > 0 {
                f.write_str(word)?;
            }
            match marker {
                Self::Compare(_) => write!(f, "{marker}")?,
                nested => write!(f, "({nested})")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(variable) => f.write_str(variable.word()),
            Self::Literal(text) if text.contains('"') => write!(f, "'{text}'"),
            Self::Literal(text) => write!(f, "\"{text}\""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wheel::Arch;

    fn holds(text: &str, extra: Option<&str>) -> bool {
        let environment = Environment::of(&Target { python: (3, 11, 2), arch: Arch::X86_64, glibc: (2, 36) });
        let marker = Marker::parse(text).unwrap();
        marker.holds(&environment, extra.map(|extra| extra.parse().unwrap()).as_ref())
    }

    #[test]
    fn markers_hold_where_pip_says_so() {
        for text in [
            "python_version >= '3.9'",
            "python_version < '3.12'",
            "python_version == '3.11'",
            "python_version ~= '3.7'",
            "python_full_version < '3.11.3'",
            "python_version == '3.*'",
            "'3.8' <= python_version",
            "python_version in '3.10, 3.11'",
            "python_version not in '3.9'",
            "sys_platform == 'linux' and os.name == 'posix'",
            "'linux' in sys_platform",
            "platform_machine in 'x86_64 AMD64'",
            "implementation_name == 'cpython' or sys_platform == 'win32'",
            "(python_version<'3' or python_version>'3.10')and platform_system!='Windows'",
            "platform_python_implementation != \"PyPy\"",
            "extra != 'dev'",
            "implementation_version >= '3.11'",
        ] {
            assert!(holds(text, None), "{text}");
        }
    }

    #[test]
    fn and_do_not_hold_where_pip_says_not() {
        for text in [
            "python_version < '3.9'",
            "python_version >= '3.12'",
            "python_version > '3.11'",
            "python_full_version == '3.11'",
            "sys_platform == 'win32'",
            "extra == 'dev'",
            "platform_machine ~= 'x86'",
            "sys_platform == 'win32' or os_name == 'nt' and python_version > '3'",
        ] {
            assert!(!holds(text, None), "{text}");
        }
    }

    #[test]
    fn an_extra_is_one_in_every_spelling() {
        assert!(holds("extra == 'Foo_Bar'", Some("foo-bar")));
        assert!(!holds("extra == 'foo'", Some("foo-bar")));
        assert!(holds("python_version > '3' and extra == 'foo.bar'", Some("foo-bar")));
    }
}
