//! Makes one layer of the files that are named, in a new layout: `layer LAYOUT FILE...`. For `ci/bench.sh`, which compares
//! it with what plain tools take for the same bytes. The files' digests are known beforehand in real use, so they are
//! computed before the clock starts.

use std::{collections::BTreeMap, fs::File, time::Instant};

use assemble::{
    Context, Layout, Request, Source,
    context::{Entry, FileEntry},
};
use camino::{Utf8Path, Utf8PathBuf};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let layout = Layout::create(args.next().ok_or("usage: layer LAYOUT FILE...")?)?;
    let mut context = Context::new();
    for path in args.map(Utf8PathBuf::from) {
        let (digest, size) = blob::hash_reader(File::open(&path)?)?;
        let name = path.file_name().map_or_else(|| Utf8Path::new("file"), Utf8Path::new).to_owned();
        let entry = FileEntry { executable: false, size, digest, source: Source::Path(path) };
        context.insert(&format!("jars/{name}"), Entry::File(entry))?;
    }
    let (none, images) = (BTreeMap::new(), BTreeMap::new());
    let request = Request {
        dockerfile: "FROM scratch\nCOPY jars/ /jars/\n",
        name: "Dockerfile",
        context: &context,
        args: &none,
        target: None,
        images: &images,
        labels: &none,
        epoch: 0,
        platform: &"linux/amd64".parse()?,
        jobs: 2,
        running: None,
    };
    let begin = Instant::now();
    let built = assemble::build(&layout, &request)?;
    let seconds = begin.elapsed().as_secs_f64();
    println!("{seconds:.3} s, {} bytes", built.layers.iter().map(|layer| layer.descriptor.size).sum::<u64>());
    Ok(())
}
