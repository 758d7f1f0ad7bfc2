//! Splitting a line into words, as BuildKit does; quotes stay in the words until they are expanded.

/// The words of a text. Spaces inside of quotes and after the escape character do not split.
pub(super) fn split(text: &str, escape: char) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        if quote.is_none() && char.is_whitespace() {
            words.extend(word.take());
            continue;
        }
        let word = word.get_or_insert_default();
        if char == escape && quote != Some('\'') {
            // The escaped character stays with its escape; an escape at the very end is dropped.
            if let Some(next) = chars.next() {
                word.extend([char, next]);
            }
            continue;
        }
        match quote {
            Some(open) if open == char => quote = None,
            None if matches!(char, '"' | '\'') => quote = Some(char),
            _ => {}
        }
        word.push(char);
    }
    words.extend(word);
    words
}

/// Takes the flags (`--name=value`) from the beginning of a text, without their dashes. Quotes are taken off.
pub(super) fn flags(text: &str, escape: char) -> (Vec<(String, Option<String>)>, &str) {
    let mut flags = Vec::new();
    let mut rest = text.trim_start();
    while let Some(body) = rest.strip_prefix("--") {
        let mut flag = String::new();
        let mut quote = None;
        let mut chars = body.char_indices();
        let mut end = body.len();
        while let Some((index, char)) = chars.next() {
            match quote {
                None if char.is_whitespace() => {
                    end = index;
                    break;
                }
                None if matches!(char, '"' | '\'') => quote = Some(char),
                Some(open) if open == char => quote = None,
                _ if char == escape => flag.extend(chars.next().map(|(_, char)| char)),
                _ => flag.push(char),
            }
        }
        rest = body[end..].trim_start();
        // Two dashes alone end the flags.
        if flag.is_empty() {
            break;
        }
        flags.push(match flag.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (flag, None),
        });
    }
    (flags, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_keep_their_quotes() {
        assert_eq!(split(r#"  a="b c" d='e \' f\ g "" h\"#, '\\'), ["a=\"b c\"", r"d='e \'", r"f\ g", "\"\"", "h"]);
        assert_eq!(split("", '\\'), Vec::<String>::new());
    }

    #[test]
    fn flags_come_first() {
        let (found, rest) = flags(r#"--from=x --chown="a b" --link src --not-a-flag dst"#, '\\');
        let expected = [("from", Some("x")), ("chown", Some("a b")), ("link", None)];
        assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value.map(str::to_owned))));
        assert_eq!(rest, "src --not-a-flag dst");
        assert_eq!(flags("-- --x", '\\'), (vec![], "--x"));
    }
}
