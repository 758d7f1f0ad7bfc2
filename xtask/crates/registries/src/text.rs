//! Walking through a configuration file without losing count of its lines.

/// What is left of a text, and the line in which that begins, from 1.
#[derive(Clone, Copy)]
pub(crate) struct Cursor<'t> {
    pub(crate) rest: &'t str,
    pub(crate) line: usize,
}

impl<'t> Cursor<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        Self { rest: text, line: 1 }
    }

    /// Takes the next `bytes` bytes.
    pub(crate) fn take(&mut self, bytes: usize) -> &'t str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.line += taken.matches('\n').count();
        self.rest = rest;
        taken
    }

    /// Takes all before the first character that ends it, or all that is left.
    pub(crate) fn take_until(&mut self, ends: impl Fn(char) -> bool) -> &'t str {
        self.take(self.rest.find(ends).unwrap_or(self.rest.len()))
    }

    /// Takes the white space that comes next.
    pub(crate) fn skip_space(&mut self) {
        self.take_until(|c| !c.is_whitespace());
    }
}

/// The number of the line in which byte `offset` of `text` stands, from 1.
pub(crate) fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes()[..offset.min(text.len())].iter().filter(|byte| **byte == b'\n').count() + 1
}
