//! The simple indexes of this machine, as one.

use std::{
    collections::BTreeMap,
    fs::File,
    io,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context as _, Result, bail};
use blob::Digest;
use catalog::{Artifact, Coordinate};
use python::{
    name::PackageName,
    range::RangeReader,
    resolve::{Index, IndexError},
    simple::IndexFile,
};
use registries::Kind;
use store::{FetchOptions, Fetched, Location, Silent, Wanted, fetch};

use super::{Answer, NOWHERE};
use crate::machine::{Machine, at, location};

/// The largest project page that is read: the largest known ones have some 10 MB.
const LARGEST_PAGE: u64 = 64 << 20;
const LARGEST_METADATA: u64 = 16 << 20;

/// All indexes, asked in their order; each project page is read once.
pub(crate) struct SimpleIndex<'a> {
    machine: &'a Machine,
    pages: Mutex<BTreeMap<(usize, PackageName), Page>>,
    /// Metadata of wheels, by the address of the wheel.
    metadata: Mutex<BTreeMap<String, Vec<u8>>>,
}

/// The files of a project on one index.
type Page = Arc<Vec<Offered>>;

/// A file, and the index that offers it.
#[derive(Debug, Clone)]
pub(crate) struct Offered {
    endpoint: usize,
    pub(crate) file: IndexFile,
}

impl<'a> SimpleIndex<'a> {
    pub(crate) fn new(machine: &'a Machine) -> Self {
        Self { machine, pages: Mutex::default(), metadata: Mutex::default() }
    }

    /// The files of a project on one index, read once; nothing if the index does not have it.
    fn page_of(&self, endpoint: usize, name: &PackageName) -> Result<Page> {
        let key = (endpoint, name.clone());
        let known = self.pages.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(page) = known {
            return Ok(page);
        }
        let index = &self.machine.registries.pypi[endpoint];
        let mut place = location(index, &registries::pypi_path(name.as_str()));
        place.headers.push(("Accept".into(), python::simple::ACCEPT.into()));
        let page = self.machine.http.get_small(&place, LARGEST_PAGE);
        let files = match page.with_context(|| format!("looking for the Python project {name}"))? {
            Some(page) => python::simple::parse_page(&page.bytes, page.content_type.as_deref(), &page.url)?,
            None => Vec::new(),
        };
        let page: Page = Arc::new(files.into_iter().map(|file| Offered { endpoint, file }).collect());
        self.pages.lock().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::clone(&page));
        Ok(page)
    }

    /// The files of a project on the first index that has it. Others are not asked: a public index must not outbid a
    /// private one with a project of the same name.
    ///
    /// # Errors
    /// An index does not answer, or no index is known. A project that no index has is an empty list.
    pub(crate) fn page(&self, name: &PackageName) -> Result<Page> {
        self.machine.registries.require(&[Kind::Pypi])?;
        for endpoint in 0..self.machine.registries.pypi.len() {
            let page = self.page_of(endpoint, name)?;
            if !page.is_empty() {
                return Ok(page);
            }
        }
        Ok(Arc::default())
    }

    /// Where a file of this name may be had, in the order of the indexes. All are asked: the digest is known, and a
    /// mirror may lack it.
    pub(crate) fn locations(&self, name: &str, file: &str) -> Result<Vec<Location>> {
        let name: PackageName = name.parse()?;
        let mut places = Vec::new();
        for endpoint in 0..self.machine.registries.pypi.len() {
            let page = self.page_of(endpoint, &name)?;
            places
                .extend(page.iter().filter(|offered| offered.file.filename == file).map(|offered| self.place(offered)));
        }
        Ok(places)
    }

    /// Where a file of this name may be had on one index, the `endpoint`th of this machine; nothing if that lacks it.
    pub(crate) fn location_on(&self, endpoint: usize, name: &str, file: &str) -> Result<Option<Location>> {
        let page = self.page_of(endpoint, &name.parse()?)?;
        Ok(page.iter().find(|offered| offered.file.filename == file).map(|offered| self.place(offered)))
    }

    fn place(&self, offered: &Offered) -> Location {
        self.beside(offered, offered.file.url.clone())
    }

    /// An address that belongs to an offered file. Credentials go where the index itself is; files elsewhere are public.
    fn beside(&self, offered: &Offered, url: String) -> Location {
        let endpoint = &self.machine.registries.pypi[offered.endpoint];
        let mut place = at(endpoint, url);
        let host = registries::BaseUrl::parse(&place.url).ok().map(|(url, _)| (url.host().to_owned(), url.port()));
        if host != Some((endpoint.url.host().to_owned(), endpoint.url.port())) {
            place.auth = None;
            place.headers.clear();
        }
        place
    }

    /// The offered file that this is.
    fn offered(&self, file: &IndexFile) -> Result<Offered> {
        let pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = pages.values().flat_map(|page| page.iter());
        all.find(|offered| offered.file.url == file.url)
            .cloned()
            .with_context(|| format!("{} stands on no page that was read", file.filename))
    }

    /// Size and digest of an offered file: from the page where that says them, else from the server or the file itself.
    fn identify(&self, offered: &Offered) -> Result<(Digest, u64)> {
        let size = match offered.file.size {
            Some(size) => Some(size),
            None => self.machine.http.head(&self.place(offered)).ok().flatten().and_then(|head| head.size),
        };
        match (offered.file.sha256, size) {
            (Some(sha256), Some(size)) => Ok((sha256, size)),
            _ => self.fetch(offered, size).map(|fetched| (fetched.digest, fetched.size)),
        }
    }

    /// The metadata out of a wheel of which only some parts are fetched; nothing where that does not work.
    fn metadata_by_ranges(&self, offered: &Offered) -> Option<Vec<u8>> {
        let place = self.place(offered);
        let size = offered.file.size.or_else(|| self.machine.http.head(&place).ok().flatten()?.size)?;
        let get = |range| {
            let part = self.machine.http.get_range(&place, range).map_err(io::Error::other)?;
            part.ok_or_else(|| io::Error::from(io::ErrorKind::Unsupported))
        };
        python::wheel::read_metadata(&offered.file.filename, RangeReader::new(size, get)).ok()
    }

    /// Fetches an offered file into the store.
    fn fetch(&self, offered: &Offered, size: Option<u64>) -> Result<Fetched> {
        let wanted = Wanted {
            id: offered.file.filename.clone(),
            locations: vec![self.place(offered)],
            size,
            sha256: offered.file.sha256,
            check: None,
        };
        let report = fetch(&self.machine.store, &self.machine.http, &[wanted], &FetchOptions::default(), &Silent)?;
        match (report.fetched.into_iter().next(), report.failed.first()) {
            (Some(fetched), _) => Ok(fetched),
            (None, Some(failed)) => bail!("fetching {}: {}", failed.id, failed.error),
            (None, None) => bail!("fetching {} came to no end", offered.file.filename),
        }
    }
}

impl Index for SimpleIndex<'_> {
    fn project_page(&self, name: &PackageName) -> Result<Option<Vec<IndexFile>>, IndexError> {
        let page = self.page(name)?;
        Ok((!page.is_empty()).then(|| page.iter().map(|offered| offered.file.clone()).collect()))
    }

    fn metadata(&self, file: &IndexFile) -> Result<Vec<u8>, IndexError> {
        // Sets that stand on each other, and the same set of two Spark versions, ask for the same files.
        let known = self.metadata.lock().unwrap_or_else(PoisonError::into_inner).get(&file.url).cloned();
        if let Some(bytes) = known {
            return Ok(bytes);
        }
        let bytes = self.read_metadata(file)?;
        self.metadata.lock().unwrap_or_else(PoisonError::into_inner).insert(file.url.clone(), bytes.clone());
        Ok(bytes)
    }

    fn identify(&self, file: &IndexFile) -> Result<(Digest, u64), IndexError> {
        Ok(SimpleIndex::identify(self, &self.offered(file)?)?)
    }
}

impl SimpleIndex<'_> {
    fn read_metadata(&self, file: &IndexFile) -> Result<Vec<u8>> {
        let offered = self.offered(file)?;
        if let Some(url) = file.metadata_url() {
            let place = self.beside(&offered, url);
            if let Some(small) = self.machine.http.get_small(&place, LARGEST_METADATA)? {
                return Ok(small.bytes);
            }
        }
        // A mirror without metadata beside its wheels gives the end of the wheel, where its directory is; or all of it.
        if let Some(bytes) = self.metadata_by_ranges(&offered) {
            return Ok(bytes);
        }
        let fetched = self.fetch(&offered, file.size)?;
        let wheel = File::open(&fetched.path).with_context(|| format!("reading {}", fetched.path))?;
        Ok(python::wheel::read_metadata(&file.filename, wheel)?)
    }
}

/// The source distribution of a project.
pub(crate) fn sdist(index: &SimpleIndex<'_>, name: &str, version: &str) -> Result<Answer> {
    let file = format!("{name}-{version}.tar.gz");
    let page = index.page(&name.parse()?)?;
    let Some(offered) = page.iter().find(|offered| offered.file.filename == file) else {
        return Ok(Answer::Absent(NOWHERE.to_owned()));
    };
    let id = Coordinate::Pypi { name: name.to_owned(), version: version.to_owned(), file };
    let (sha256, size) = index.identify(offered)?;
    Ok(Answer::Set(vec![Artifact { id, size, sha256, path: None }]))
}
