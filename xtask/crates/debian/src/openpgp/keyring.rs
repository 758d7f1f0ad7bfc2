//! Keys that may sign, and the verification of a clear-signed file.

use std::collections::BTreeMap;

use super::{
    armor::{self, ArmorError},
    packet::{self, Packet, PublicKey, Signature, kind},
};

/// A key file that gives no usable key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file is no armoured key.
    #[error("reading the key {name}")]
    Armor {
        /// The name that the caller gave it.
        name: String,
        /// What is wrong.
        #[source]
        source: ArmorError,
    },
    /// The packets of the file are damaged, or none of its keys may sign.
    #[error("expected a version 4 RSA or Ed25519 key that may sign in the key {0}, found none")]
    NoKey(String),
}

/// Why a file is not trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The file is no clear-signed text.
    #[error(transparent)]
    Armor(#[from] ArmorError),
    /// The signature block is damaged.
    #[error("expected OpenPGP packets in the signature block, found damaged ones")]
    Packets,
    /// A known key did not make this signature over this text.
    #[error("the signature by the key {0:016X} does not fit the text: the file was changed or damaged")]
    Bad(u64),
    /// A signature by a known key is over a hash that can be forged.
    #[error("expected a signature over SHA-256, SHA-384 or SHA-512, found that by the key {0:016X} over another hash")]
    Hash(u64),
    /// No signature is by a key of the keyring.
    #[error("expected a signature by a key of the keyring, found {}", signers(.0))]
    Unknown(Vec<u64>),
    /// Every signature that fits is by a key that has expired, or is itself out of date.
    #[error(
        "the signature by the key {0:016X} is out of date, or the key is: a newer keyring or a fresher mirror is needed"
    )]
    Expired(u64),
}

fn signers(ids: &[u64]) -> String {
    match ids {
        [] => "no signature of a kind that is understood".into(),
        ids => format!("those by {}", ids.iter().map(|id| format!("{id:016X}")).collect::<Vec<_>>().join(", ")),
    }
}

/// A key that may sign data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Signer {
    key: PublicKey,
    /// The fingerprint of the primary key, by which people know it.
    pub(super) primary: [u8; 20],
    /// The user id that the primary key stands by.
    pub(super) user_id: Option<String>,
    /// Seconds since 1970 from which the key counts no more.
    expires: Option<u64>,
}

/// The keys that are trusted.
#[derive(Debug, Clone, Default)]
pub struct Keyring {
    signers: Vec<Signer>,
}

/// What [`Keyring::verify`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verified {
    /// The text that is signed.
    pub(crate) text: String,
    /// Ids of the keys whose signatures fit.
    pub(crate) signers: Vec<u64>,
}

impl Keyring {
    /// The keys of armoured key files, each with a name for errors.
    ///
    /// # Errors
    /// A file is damaged or holds no key that may sign.
    pub fn from_armored<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Result<Self, KeyError> {
        let mut signers = Vec::new();
        for (name, bytes) in files {
            let error = |source| KeyError::Armor { name: name.to_owned(), source };
            let text = std::str::from_utf8(bytes).map_err(|_| error(ArmorError::Encoding))?;
            let bytes = armor::dearmor(text, "PGP PUBLIC KEY BLOCK").map_err(error)?;
            let packets = packet::packets(&bytes).unwrap_or_default();
            let found = certificates(&packets).flat_map(certificate_signers);
            let before = signers.len();
            signers.extend(found);
            if signers.len() == before {
                return Err(KeyError::NoKey(name.to_owned()));
            }
        }
        Ok(Self { signers })
    }

    /// The keys of a file in which armoured blocks stand between other text, as projects publish those of their
    /// release managers. Blocks that are damaged or hold no key that may sign are passed over. Where a key is there
    /// several times, all that is said of it counts: it is revoked if any of them says so.
    ///
    /// # Errors
    /// No block holds a key that may sign.
    pub fn from_keys_file(name: &str, bytes: &[u8]) -> Result<Self, KeyError> {
        // What stands between the blocks may be in any encoding.
        let text = String::from_utf8_lossy(bytes);
        let blocks = armor::blocks(&text, "PGP PUBLIC KEY BLOCK");
        let packets: Vec<_> = blocks.iter().filter_map(|block| packet::packets(block)).collect();
        let mut merged: BTreeMap<&[u8], Vec<Packet<'_>>> = BTreeMap::new();
        for certificate in packets.iter().flat_map(|packets| certificates(packets)) {
            let Some(primary) = certificate.first() else { continue };
            merged.entry(primary.body).or_default().extend_from_slice(certificate);
        }
        let signers: Vec<_> = merged.values().flat_map(|packets| certificate_signers(packets)).collect();
        match signers.is_empty() {
            true => Err(KeyError::NoKey(name.to_owned())),
            false => Ok(Self { signers }),
        }
    }

    /// Verifies a clear-signed file. At least one signature must be by a key of the keyring that is alive, and none by
    /// a key of the keyring may be bad. A key must live when it signs; with `now`, signature and key must live then
    /// too.
    pub(crate) fn verify(&self, file: &[u8], now: Option<u64>) -> Result<Verified, VerifyError> {
        let cleartext = armor::cleartext(file)?;
        let message = cleartext.canonical();
        let signatures = signatures(&cleartext.signatures, kind::TEXT)?;
        let good = self.judge(&signatures, now, |signature, key| signature.verifies(key, &message))?;
        let signers = good.into_iter().map(|(_, signature)| signature.issuer).collect();
        Ok(Verified { text: cleartext.text, signers })
    }

    /// The signatures that count, with who made them. At least one must be by a key of the keyring that is alive, and
    /// none by a key of the keyring may be bad. `fits` tells whether a key made a signature over what is signed.
    pub(super) fn judge<'a>(
        &'a self,
        signatures: &'a [Signature],
        now: Option<u64>,
        mut fits: impl FnMut(&Signature, &PublicKey) -> bool,
    ) -> Result<Vec<(&'a Signer, &'a Signature)>, VerifyError> {
        let (mut good, mut expired, mut unknown) = (Vec::new(), None, Vec::new());
        for signature in signatures {
            let mut known = self.signers.iter().filter(|signer| signer.key.id == signature.issuer).peekable();
            if known.peek().is_none() {
                unknown.push(signature.issuer);
                continue;
            }
            if !signature.is_strong() {
                return Err(VerifyError::Hash(signature.issuer));
            }
            let Some(signer) = known.find(|signer| fits(signature, &signer.key)) else {
                return Err(VerifyError::Bad(signature.issuer));
            };
            // Whether it was made in the future is for the reader of the text to say, which has a date as well.
            let over = |time| signer.is_over(time) || signature.is_over(time);
            let never_valid = signature.created < signer.key.created || over(signature.created);
            match never_valid || now.is_some_and(over) {
                true => expired = Some(signature.issuer),
                false => good.push((signer, signature)),
            }
        }
        match (good.is_empty(), expired) {
            (false, _) => Ok(good),
            (true, Some(id)) => Err(VerifyError::Expired(id)),
            (true, None) => Err(VerifyError::Unknown(unknown)),
        }
    }
}

/// The signatures of a kind among packets.
pub(super) fn signatures(bytes: &[u8], kind: u8) -> Result<Vec<Signature>, VerifyError> {
    let packets = packet::packets(bytes).ok_or(VerifyError::Packets)?;
    let packets = packets.iter().filter(|packet| packet.tag == packet::SIGNATURE);
    let signatures = packets.filter_map(|packet| Signature::parse(packet.body));
    Ok(signatures.filter(|signature| signature.kind == kind).collect())
}

impl Signer {
    fn is_over(&self, time: u64) -> bool {
        self.expires.is_some_and(|expires| expires <= time)
    }
}

/// Cuts packets into certificates, each beginning with a primary key.
fn certificates<'p, 'a>(packets: &'p [Packet<'a>]) -> impl Iterator<Item = &'p [Packet<'a>]> {
    let begins: Vec<_> = (0..packets.len()).filter(|at| packets[*at].tag == packet::PUBLIC_KEY).collect();
    let ends: Vec<_> = begins.iter().skip(1).copied().chain([packets.len()]).collect();
    begins.into_iter().zip(ends).map(|(begin, end)| &packets[begin..end])
}

/// The keys of one certificate that may sign data.
fn certificate_signers(packets: &[Packet<'_>]) -> Vec<Signer> {
    let mut signers = Vec::new();
    let Some((first, rest)) = packets.split_first() else { return signers };
    let Some(primary) = PublicKey::parse(first.body) else { return signers };
    let parts = Parts::of(rest);
    let Some((self_signature, user_id)) = self_signature(&primary, &parts) else { return signers };
    let user_id = user_id.map(|id| String::from_utf8_lossy(id).into_owned());
    let signer = |key, expires| Signer { key, primary: primary.fingerprint, user_id: user_id.clone(), expires };
    let primary_expires = expiry(&primary, &self_signature);
    if self_signature.may_sign != Some(false) {
        signers.push(signer(primary.clone(), primary_expires));
    }
    for (body, signatures) in &parts.subkeys {
        let Some(subkey) = PublicKey::parse(body) else { continue };
        let message = [primary.hashed.as_slice(), &subkey.hashed].concat();
        let verified: Vec<_> = signatures.iter().filter(|it| it.verifies(&primary, &message)).collect();
        let revoked = verified.iter().any(|signature| signature.kind == kind::SUBKEY_REVOCATION);
        let bindings = verified.into_iter().filter(|signature| binds(signature, &subkey, &message));
        let Some(binding) = bindings.max_by_key(|signature| signature.created).filter(|_| !revoked) else { continue };
        let expires = [primary_expires, expiry(&subkey, binding)].into_iter().flatten().min();
        signers.push(signer(subkey, expires));
    }
    signers
}

/// The signature of a primary key that says what the key may do and how long: the newest over a user id that is not
/// revoked, with that id, or where there is none, the newest over the key itself. None for a key that is revoked.
fn self_signature<'a>(primary: &PublicKey, parts: &Parts<'a>) -> Option<(Signature, Option<&'a [u8]>)> {
    let direct: Vec<_> = parts.direct.iter().filter(|it| it.verifies(primary, &primary.hashed)).cloned().collect();
    if direct.iter().any(|signature| signature.kind == kind::KEY_REVOCATION) {
        return None;
    }
    let mut certifications = Vec::new();
    for (user_id, signatures) in &parts.user_ids {
        let length = (user_id.len() as u32).to_be_bytes();
        let message = [primary.hashed.as_slice(), &[0xb4], &length, user_id].concat();
        let verified: Vec<_> = signatures.iter().filter(|it| it.verifies(primary, &message)).cloned().collect();
        if !verified.iter().any(|signature| signature.kind == kind::CERTIFICATION_REVOCATION) {
            certifications.extend(verified.into_iter().map(|signature| (signature, Some(*user_id))));
        }
    }
    certifications.retain(|(signature, _)| kind::CERTIFICATIONS.contains(&signature.kind));
    let over_key = direct.into_iter().filter(|signature| signature.kind == kind::DIRECT_KEY);
    let newest = |(signature, _): &(Signature, Option<&[u8]>)| signature.created;
    let over_key = over_key.map(|signature| (signature, None)).max_by_key(newest);
    certifications.into_iter().max_by_key(newest).or(over_key)
}

/// Whether a signature by the primary key lets the subkey sign, and the subkey agrees.
fn binds(signature: &Signature, subkey: &PublicKey, message: &[u8]) -> bool {
    let agrees =
        |embedded: &Signature| embedded.kind == kind::PRIMARY_KEY_BINDING && embedded.verifies(subkey, message);
    signature.kind == kind::SUBKEY_BINDING
        && signature.may_sign == Some(true)
        && signature.embedded.as_deref().is_some_and(agrees)
}

/// From when on the key, or the signature that lets it be used, counts no more.
fn expiry(key: &PublicKey, signature: &Signature) -> Option<u64> {
    let key_ends = (signature.key_lifetime != 0).then(|| key.created + signature.key_lifetime);
    let signature_ends = (signature.lifetime != 0).then(|| signature.created + signature.lifetime);
    [key_ends, signature_ends].into_iter().flatten().min()
}

/// The packets behind a primary key: signatures over it, user ids and subkeys, each with the signatures over them.
#[derive(Default)]
struct Parts<'a> {
    direct: Vec<Signature>,
    user_ids: Vec<(&'a [u8], Vec<Signature>)>,
    subkeys: Vec<(&'a [u8], Vec<Signature>)>,
}

/// What a signature is over: a packet of the certificate.
#[derive(Clone, Copy)]
enum Over {
    Primary,
    UserId(usize),
    Subkey(usize),
}

/// Where the list of the signatures over a packet is.
fn place<'a>(lists: &mut Vec<(&'a [u8], Vec<Signature>)>, body: &'a [u8]) -> usize {
    lists.iter().position(|(known, _)| *known == body).unwrap_or_else(|| {
        lists.push((body, Vec::new()));
        lists.len() - 1
    })
}

impl<'a> Parts<'a> {
    fn of(packets: &[Packet<'a>]) -> Self {
        let mut parts = Self::default();
        // Which packet a signature is over is told by the packet before it; those over anything else are dropped.
        let mut over = Some(Over::Primary);
        for packet in packets {
            over = match packet.tag {
                packet::SIGNATURE => {
                    let list = match over {
                        Some(Over::Primary) => &mut parts.direct,
                        Some(Over::UserId(at)) => &mut parts.user_ids[at].1,
                        Some(Over::Subkey(at)) => &mut parts.subkeys[at].1,
                        None => continue,
                    };
                    list.extend(Signature::parse(packet.body));
                    continue;
                }
                packet::PUBLIC_KEY => Some(Over::Primary),
                packet::USER_ID => Some(Over::UserId(place(&mut parts.user_ids, packet.body))),
                packet::PUBLIC_SUBKEY => Some(Over::Subkey(place(&mut parts.subkeys, packet.body))),
                _ => None,
            };
        }
        parts
    }
}
