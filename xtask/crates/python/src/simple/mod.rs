//! Project pages of a simple index, as HTML (PEP 503) or as JSON (PEP 691), from any mirror.
//!
//! Source: PyPA's [simple repository API](https://packaging.python.org/en/latest/specifications/simple-repository-api/).
//! Mirrors and proxies rewrite pages: addresses may be relative, digests, sizes and metadata may be gone, the content type
//! may be wrong. What a page does not say is `None`; nothing is guessed. Nothing here opens a socket.

mod html;
mod json;
mod url;

use blob::Digest;

use crate::name::PackageName;

/// The `Accept` header for project pages: JSON where the index has it, else HTML.
pub const ACCEPT: &str =
    "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01";

/// A file that an index offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexFile {
    /// Its name.
    pub filename: String,
    /// Its absolute address, without fragment.
    pub url: String,
    /// Its digest, where the page has one.
    pub sha256: Option<Digest>,
    /// Its size in bytes, where the page has it (HTML pages never do).
    pub size: Option<u64>,
    /// The interpreters that it is for, as version specifiers.
    pub requires_python: Option<String>,
    /// Why it was yanked (PEP 592): the reason, often empty. `None`: it was not.
    pub yanked: Option<String>,
    /// Whether its metadata lies beside it (PEP 658).
    pub metadata: CoreMetadata,
}

/// Whether the metadata of a file can be had without the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CoreMetadata {
    /// The page offers none.
    Absent,
    /// It lies at [`IndexFile::metadata_url`], with this digest if the page has one.
    Beside(Option<Digest>),
}

/// A page that is none.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// It is not JSON of the specification's shape.
    #[error("reading the project page {url}: expected JSON of the simple API")]
    Json {
        /// The page.
        url: String,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// It has a major version that this reader does not know.
    #[error("reading the project page {url}: expected version 1.x of the simple API, found `{found}`")]
    ApiVersion {
        /// The page.
        url: String,
        /// The version that it claims.
        found: String,
    },
}

impl IndexFile {
    /// Where the metadata of this file lies, if the index offers it.
    pub fn metadata_url(&self) -> Option<String> {
        match self.metadata {
            CoreMetadata::Absent => None,
            CoreMetadata::Beside(_) => Some(format!("{}.metadata", self.url)),
        }
    }
}

/// The address of a project's page on the index at `index`, such as `https://registry.example/simple`.
pub fn project_url(index: &str, name: &PackageName) -> String {
    format!("{}/{name}/", index.trim_end_matches('/'))
}

/// The files that a project page lists, in its order.
///
/// `url` is where the page was found after redirects: relative addresses begin there. `content_type` is a hint; a page
/// that begins with `{` is JSON whatever its header says.
///
/// # Errors
/// The page is JSON of another shape, or of a version of the API that is not known. Any HTML is a page; one of a login
/// form lists no files.
pub fn parse_page(bytes: &[u8], content_type: Option<&str>, url: &str) -> Result<Vec<IndexFile>, PageError> {
    let says_json = content_type.is_some_and(|kind| kind.to_ascii_lowercase().contains("json"));
    let is_json = bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    if says_json || is_json { json::parse(bytes, url) } else { html::parse(bytes, url) }
}

/// A major version other than 1 may mean anything (PEP 629).
fn check_version(found: &str, url: &str) -> Result<(), PageError> {
    match found.split_once('.') {
        Some(("1", _)) => Ok(()),
        _ => Err(PageError::ApiVersion { url: url.to_owned(), found: found.to_owned() }),
    }
}

/// The address and the digest of a link: the fragment `#sha256=…` is the digest of PEP 503.
fn split_fragment(href: &str) -> (&str, Option<Digest>) {
    let (href, fragment) = href.split_once('#').unwrap_or((href, ""));
    let digest = fragment.split('&').find_map(|part| part.strip_prefix("sha256=")?.parse().ok());
    (href, digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn page(text: &str, content_type: &str) -> Vec<IndexFile> {
        parse_page(text.as_bytes(), Some(content_type), "https://registry.example/root/simple/foo/").unwrap()
    }

    #[test]
    fn html_pages_are_read() {
        let text = format!(
            r##"<!DOCTYPE html><html><head><meta name="pypi:repository-version" content="1.3"><title>Links</title></head><body>
            <h1>Links for foo</h1>
            <!-- <a href="commented-1-py3-none-any.whl">no</a> -->
            <a href="../../files/foo-1.0-py3-none-any.whl#sha256={HEX}" data-requires-python="&gt;=3.9,&lt;4" data-core-metadata="sha256={HEX}">foo-1.0-py3-none-any.whl</a><br/>
            <A HREF='https://files.example/foo-1.1%2Bcu12-py3-none-any.whl#md5=00' data-yanked="bad &quot;thing&quot;" data-dist-info-metadata="true">foo</A>
            <a href="foo-0.9.tar.gz">foo-0.9.tar.gz</a> <a>no href</a> <a href="?C=N;O=D">Name</a> <a href="../">up</a>
            </body></html>"##
        );
        let files = page(&text, "text/html; charset=utf-8");
        let digest = Some(HEX.parse().unwrap());
        assert_eq!(files.len(), 3, "{files:#?}");
        assert_eq!(
            files[0],
            IndexFile {
                filename: "foo-1.0-py3-none-any.whl".to_owned(),
                url: "https://registry.example/root/files/foo-1.0-py3-none-any.whl".to_owned(),
                sha256: digest,
                size: None,
                requires_python: Some(">=3.9,<4".to_owned()),
                yanked: None,
                metadata: CoreMetadata::Beside(digest),
            }
        );
        assert_eq!(
            files[0].metadata_url().as_deref(),
            Some("https://registry.example/root/files/foo-1.0-py3-none-any.whl.metadata")
        );
        assert_eq!(files[1].filename, "foo-1.1+cu12-py3-none-any.whl");
        assert_eq!(files[1].sha256, None);
        assert_eq!(files[1].yanked.as_deref(), Some("bad \"thing\""));
        assert_eq!(files[1].metadata, CoreMetadata::Beside(None));
        assert_eq!(files[2].url, "https://registry.example/root/simple/foo/foo-0.9.tar.gz");
    }

    #[test]
    fn json_pages_are_read() {
        let text = format!(
            r#"{{"meta":{{"api-version":"1.1","_last-serial":1}},"name":"foo","versions":["1.0"],"files":[
            {{"filename":"foo-1.0-py3-none-any.whl","url":"/files/foo-1.0-py3-none-any.whl","hashes":{{"sha256":"{HEX}","blake2b":"00"}},
              "requires-python":">=3.9","size":12,"yanked":false,"core-metadata":{{"sha256":"{HEX}"}},"data-dist-info-metadata":false,"upload-time":"x"}},
            {{"filename":"foo-1.1.whl","url":"https://files.example/foo-1.1.whl#x","hashes":{{}},"requires-python":null,"yanked":"why","dist-info-metadata":true}}]}}"#
        );
        let files = page(&text, "application/vnd.pypi.simple.v1+json");
        assert_eq!(page(&text, "text/plain"), files, "a wrong content type does no harm");
        let digest: Digest = HEX.parse().unwrap();
        assert_eq!(files[0].url, "https://registry.example/files/foo-1.0-py3-none-any.whl");
        assert_eq!((files[0].sha256, files[0].size), (Some(digest), Some(12)));
        assert_eq!((&files[0].yanked, files[0].metadata), (&None, CoreMetadata::Beside(Some(digest))));
        assert_eq!(files[1].url, "https://files.example/foo-1.1.whl");
        assert_eq!((files[1].sha256, files[1].yanked.as_deref()), (None, Some("why")));
        assert_eq!(files[1].metadata, CoreMetadata::Beside(None));
    }

    #[test]
    fn what_is_no_page_is_an_error() {
        for (text, kind) in [
            ("<html>", "application/json"),
            ("{\"files\": 1}", "text/html"),
            (r#"{"meta":{"api-version":"2.0"},"files":[]}"#, "application/json"),
            (r#"<meta name="pypi:repository-version" content="2.0">"#, "text/html"),
        ] {
            let error = parse_page(text.as_bytes(), Some(kind), "https://registry.example/simple/foo/").unwrap_err();
            assert!(error.to_string().contains("registry.example"), "{error}");
        }
    }

    #[test]
    fn a_page_without_links_lists_nothing() {
        for text in ["", "<form action=login>", "\u{feff}<html></html>", "<a href=", "\0\u{1}<<<a<a>"] {
            assert_eq!(page(text, "text/html"), []);
        }
    }

    #[test]
    fn a_project_has_one_page() {
        let name = "Foo_Bar".parse().unwrap();
        for index in ["https://registry.example/simple", "https://registry.example/simple/"] {
            assert_eq!(project_url(index, &name), "https://registry.example/simple/foo-bar/");
        }
    }
}
