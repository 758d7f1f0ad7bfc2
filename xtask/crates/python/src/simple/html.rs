//! The HTML form of a project page: each `<a href>` whose address ends in a file name is a file.

use html5gum::{HtmlString, Spanned, StartTag, Token, Tokenizer};

use super::{CoreMetadata, IndexFile, PageError, check_version, split_fragment, url};

pub(super) fn parse(bytes: &[u8], page: &str) -> Result<Vec<IndexFile>, PageError> {
    let text = String::from_utf8_lossy(bytes);
    let mut base = page.to_owned();
    let mut files = Vec::new();
    for Ok(token) in Tokenizer::new(&*text) {
        let Token::StartTag(tag) = token else { continue };
        match tag.name.as_slice() {
            b"a" => files.extend(file_of(&tag, &base)),
            b"base" => base = attribute(&tag, "href").map_or(base, |href| url::join(page, &href)),
            b"meta" if attribute(&tag, "name").as_deref() == Some("pypi:repository-version") => {
                check_version(&attribute(&tag, "content").unwrap_or_default(), page)?;
            }
            _ => {}
        }
    }
    Ok(files)
}

fn file_of(tag: &StartTag<()>, base: &str) -> Option<IndexFile> {
    let href = attribute(tag, "href")?;
    let (href, sha256) = split_fragment(&href);
    let url = url::join(base, href);
    let filename = url::filename(&url)?;
    let metadata = attribute(tag, "data-core-metadata").or_else(|| attribute(tag, "data-dist-info-metadata"));
    Some(IndexFile {
        filename,
        url,
        sha256,
        size: None,
        requires_python: attribute(tag, "data-requires-python"),
        yanked: attribute(tag, "data-yanked"),
        metadata: match metadata.as_deref() {
            None | Some("false") => CoreMetadata::Absent,
            Some(value) => CoreMetadata::Beside(value.strip_prefix("sha256=").and_then(|hex| hex.parse().ok())),
        },
    })
}

/// The value of an attribute, its entities already resolved.
fn attribute(tag: &StartTag<()>, name: &str) -> Option<String> {
    let value: &Spanned<HtmlString, ()> = tag.attributes.get(name.as_bytes())?;
    Some(String::from_utf8_lossy(value.as_slice()).trim().to_owned())
}
