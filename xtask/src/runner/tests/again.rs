//! What is not run twice, and what must be.

use std::io::Write;

use assemble::{
    BuiltLayer, Origin,
    oci::{Descriptor, Manifest, media_type},
    run::Network,
};

use super::bench::Bench;

/// The layer as a later build tells of it.
pub(super) fn cached(layer: BuiltLayer) -> BuiltLayer {
    BuiltLayer { origin: if layer.origin == Origin::Written { Origin::Cached } else { layer.origin }, ..layer }
}

#[test]
fn an_unchanged_command_is_not_run_twice() {
    let Some(mut bench) = Bench::new() else { return };
    let run = "RUN echo ran; date +%N >/tmp/now";
    let first = bench.build(&format!("FROM base\n{run}"));
    let again = bench.build(&format!("FROM base\n{run}\nENV A=1"));
    assert_eq!(bench.said(), "ran");
    assert_eq!(again.layers.last().unwrap(), &cached(first.layers.last().unwrap().clone()));
    // All that decides what a command does is a part of the key.
    let mut runs = 1;
    let mut differs = |bench: &Bench, dockerfile: &str| {
        bench.build(dockerfile);
        runs += 1;
        assert_eq!(bench.said().lines().count(), runs, "{dockerfile}");
    };
    for before in
        ["ENV A=1", "ARG B=1", "USER spark", "WORKDIR /tmp", "SHELL [\"/bin/bash\", \"-c\"]", "COPY base.tar /x"]
    {
        differs(&bench, &format!("FROM base\n{before}\n{run}"));
    }
    differs(&bench, &format!("FROM base\n{run};"));
    differs(&bench, "FROM base\nRUN --mount=type=tmpfs,target=/t echo ran; date +%N >/tmp/now");
    let bind = "FROM base\nRUN --mount=target=/m,source=in echo ran; date +%N >/tmp/now";
    bench.put("in/f", b"1");
    differs(&bench, bind);
    bench.put("other", b"1");
    bench.put("in/g", b"2");
    differs(&bench, bind);
    // What the mount does not show does not matter.
    bench.put("another", b"1");
    bench.build(bind);
    bench.network = Network::Allowed;
    differs(&bench, &format!("FROM base\n{run}"));
}

#[test]
fn what_used_the_network_is_taken_offline_and_not_made_without_it() {
    let Some(mut bench) = Bench::new() else { return };
    let (fetch, local) = ("RUN echo ran; date +%N >/tmp/now", "RUN --network=none echo local");
    let dockerfile = format!("FROM base\n{fetch}\n{local}");
    bench.network = Network::Unreachable { allow: "leave out --offline" };
    let expected =
        "Dockerfile:2: `echo ran; date +%N >/tmp/now` was not run before and needs the network; leave out --offline";
    let error = bench.refuse(&dockerfile);
    assert!(error.starts_with(expected), "{error}");
    // What was made where there is no network is another thing, and not taken either.
    bench.network = Network::Off { allow: "say yes" };
    bench.build(&format!("FROM base\n{fetch}"));
    bench.network = Network::Unreachable { allow: "leave out --offline" };
    assert!(bench.refuse(&dockerfile).starts_with(expected));
    bench.network = Network::Allowed;
    let online = bench.build(&format!("FROM base\n{fetch}"));
    assert_eq!(bench.said(), "ran\nran");
    bench.network = Network::Unreachable { allow: "leave out --offline" };
    let offline = bench.build(&dockerfile);
    assert_eq!(offline.layers[1], cached(online.layers[1].clone()));
    assert_eq!(bench.said(), "ran\nran\nlocal");
    // The whole image, too, is the one that there was.
    assert_eq!(bench.build(&format!("FROM base\n{fetch}")).image, online.image);
    bench.network = Network::Allowed;
    assert_eq!(bench.build(&dockerfile).image, offline.image);
    assert_eq!(bench.said(), "ran\nran\nlocal");
}

#[test]
fn a_record_without_its_blob_is_not_trusted() {
    let Some(bench) = Bench::new() else { return };
    let dockerfile = "FROM base\nRUN echo ran; echo 1 >/tmp/f";
    let first = bench.build(dockerfile);
    let blob = first.layers.last().unwrap().descriptor.digest;
    std::fs::remove_file(bench.layout.blob_path(&blob)).unwrap();
    assert_eq!(bench.build(dockerfile).image, first.image);
    bench.layout.discard(&blob).unwrap();
    std::fs::write(bench.layout.blob_path(&blob), "damaged").unwrap();
    assert_eq!(bench.build(dockerfile).image, first.image);
    assert_eq!(bench.said(), "ran\nran\nran");
}

#[test]
fn the_same_command_gives_the_same_bytes() {
    let (Some(one), Some(two)) = (Bench::new(), Bench::new()) else { return };
    let dockerfile =
        "FROM base\nRUN for f in c a b; do echo $f >/tmp/$f; done; rm /old/a; chmod 700 /old/sub; sleep 0.01";
    assert_eq!(one.build(dockerfile).image, two.build(dockerfile).image);
}

#[test]
fn stages_that_nothing_needs_are_not_run() {
    let Some(bench) = Bench::new() else { return };
    let built = bench.build(
        "FROM base AS unused\nRUN echo unused; false\nFROM base AS used\nRUN echo used >/tmp/u\nFROM base\nCOPY --from=used /tmp/u /u\nRUN cat /u",
    );
    assert_eq!((bench.said().as_str(), built.layers.len()), ("used", 3));
}

#[test]
fn a_command_may_do_the_same_twice() {
    let Some(bench) = Bench::new() else { return };
    let built = bench.build("FROM base\nRUN true\nRUN true # again\nRUN rm -f /old/a\nRUN test ! -e /old/a");
    assert_eq!(built.layers.len(), 5);
}

#[test]
fn a_base_may_have_compressed_layers() {
    let Some(bench) = Bench::new() else { return };
    let base = bench.layout.lookup("base").unwrap().unwrap();
    let manifest = bench.layout.manifest(&base).unwrap();
    let plain = std::fs::read(bench.layout.blob_path(&manifest.layers[0].digest)).unwrap();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&plain).unwrap();
    let bytes = encoder.finish().unwrap();
    let (digest, size) = (blob::Digest::of(&bytes), bytes.len() as u64);
    blob::write(&bench.layout.blob_path(&digest), &bytes).unwrap();
    let layers = vec![Descriptor::new(media_type::LAYER_GZIP, digest, size)];
    let image = bench.layout.put(media_type::MANIFEST, &Manifest { layers, ..manifest }).unwrap();
    bench.layout.tag("zipped", &image).unwrap();
    let built = bench.build("FROM zipped\nRUN cat /old/a >/tmp/a && rm /old/b");
    let tree = bench.tree(&built);
    assert_eq!((super::bench::text(&tree, "tmp/a").as_str(), tree.get("old/b").is_none()), ("a\n", true));
}
