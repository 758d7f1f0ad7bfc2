//! Platforms as a command sees them: what images are built for, and what of it this machine can run.

use std::{collections::BTreeSet, fs};

use camino::Utf8Path;
use catalog::{Catalog, Image, Platform};

/// Where Linux shows which foreign programs it hands to an interpreter:
/// <https://docs.kernel.org/admin-guide/binfmt-misc.html>.
const BINFMT: &str = "/proc/sys/fs/binfmt_misc";

/// The platform in the words of the image specification.
pub(crate) fn oci(platform: Platform) -> assemble::Platform {
    assemble::Platform { os: "linux".to_owned(), architecture: platform.architecture().to_owned(), variant: None }
}

/// How messages call an image: its name, and its platform where that is not the one that is meant without a word.
pub(crate) fn label(catalog: &Catalog, platform: Platform, image: &Image) -> String {
    match platform == catalog.table.default_platform() {
        true => image.reference.to_string(),
        false => format!("{} {platform}", image.reference),
    }
}

/// The flags by which commands mean these images for this platform, each behind a space.
pub(crate) fn flags(catalog: &Catalog, platform: Platform, images: &[&Image]) -> String {
    let groups: BTreeSet<&String> = images.iter().filter_map(|image| image.group.as_ref()).collect();
    let mut flags: String = groups.into_iter().map(|group| format!(" --with {group}")).collect();
    if platform != catalog.table.default_platform() {
        flags += &format!(" --platform {platform}");
    }
    flags
}

/// Why programs of this platform cannot be run here; nothing if they can, by the processor or by an emulator that the
/// kernel knows.
pub(crate) fn foreign(platform: Platform) -> Option<String> {
    if Platform::host() == Some(platform) || emulated(Utf8Path::new(BINFMT), platform) {
        return None;
    }
    let machine = std::env::consts::ARCH;
    Some(format!(
        "this machine ({machine}) runs no programs of {platform}, and its kernel knows no emulator for them: \
         use a {platform} machine, or register one (qemu-user-static with binfmt-support)"
    ))
}

/// Whether the kernel hands programs of this platform to an interpreter that it holds open itself (flag `F`): one that it
/// would look for by its path is not to be found in an image.
fn emulated(folder: &Utf8Path, platform: Platform) -> bool {
    let Ok(entries) = folder.read_dir_utf8() else { return false };
    let takes = |text: &str| {
        let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default().trim();
        let magic = value("magic ").to_ascii_lowercase();
        text.starts_with("enabled\n")
            && value("flags:").contains('F')
            && value("offset ") == "0"
            // An ELF file names its machine in the bytes 18 and 19: 62 and 183, least significant byte first.
            && magic.starts_with("7f454c46")
            && magic.get(36..40) == Some(match platform {
                Platform::Amd64 => "3e00",
                Platform::Arm64 => "b700",
            })
    };
    entries.flatten().any(|entry| fs::read_to_string(entry.path()).is_ok_and(|text| takes(&text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_emulator_counts_if_an_image_can_use_it() {
        let folder = tempfile::tempdir().unwrap();
        let folder = Utf8Path::from_path(folder.path()).unwrap();
        let entry = |state: &str, flags: &str, machine: &str| {
            format!(
                "{state}\ninterpreter /usr/bin/qemu-aarch64-static\nflags: {flags}\noffset 0\n\
                 magic 7f454c460201010000000000000000000200{machine}\nmask ffffffffffffff00fffffffffffffffffeffffff\n"
            )
        };
        let is = |text: &str| {
            fs::write(folder.join("qemu-aarch64"), text).unwrap();
            [emulated(folder, Platform::Amd64), emulated(folder, Platform::Arm64)]
        };
        fs::write(folder.join("status"), "enabled").unwrap();
        assert_eq!(is(&entry("enabled", "OCF", "b700")), [false, true]);
        assert_eq!(is(&entry("enabled", "OCF", "3e00")), [true, false]);
        assert_eq!(is(&entry("enabled", "OC", "b700")), [false, false]);
        assert_eq!(is(&entry("disabled", "OCF", "b700")), [false, false]);
        assert_eq!(is("enabled\n"), [false, false]);
        assert!(!emulated(&folder.join("none"), Platform::Arm64));
    }
}
