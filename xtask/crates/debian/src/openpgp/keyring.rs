//! Keys that may sign, and the verification of a clear-signed file.

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
struct Signer {
    key: PublicKey,
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

    /// Verifies a clear-signed file. At least one signature must be by a key of the keyring that is alive, and none by
    /// a key of the keyring may be bad. A key must live when it signs; with `now`, signature and key must live then
    /// too.
    pub(crate) fn verify(&self, file: &[u8], now: Option<u64>) -> Result<Verified, VerifyError> {
        let cleartext = armor::cleartext(file)?;
        let message = cleartext.canonical();
        let packets = packet::packets(&cleartext.signatures).ok_or(VerifyError::Packets)?;
        let signatures = packets.iter().filter(|packet| packet.tag == packet::SIGNATURE);
        let signatures = signatures.filter_map(|packet| Signature::parse(packet.body));
        let (mut good, mut expired, mut unknown) = (Vec::new(), None, Vec::new());
        for signature in signatures.filter(|signature| signature.kind == kind::TEXT) {
            let mut known = self.signers.iter().filter(|signer| signer.key.id == signature.issuer).peekable();
            if known.peek().is_none() {
                unknown.push(signature.issuer);
                continue;
            }
            let Some(signer) = known.find(|signer| signature.verifies(&signer.key, &message)) else {
                return Err(VerifyError::Bad(signature.issuer));
            };
            // Whether it was made in the future is for the reader of the text to say, which has a date as well.
            let over = |time| signer.is_over(time) || signature.is_over(time);
            let never_valid = signature.created < signer.key.created || over(signature.created);
            match never_valid || now.is_some_and(over) {
                true => expired = Some(signature.issuer),
                false => good.push(signature.issuer),
            }
        }
        match (good.is_empty(), expired) {
            (false, _) => Ok(Verified { text: cleartext.text, signers: good }),
            (true, Some(id)) => Err(VerifyError::Expired(id)),
            (true, None) => Err(VerifyError::Unknown(unknown)),
        }
    }
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
    let Some(self_signature) = self_signature(&primary, &parts) else { return signers };
    let primary_expires = expiry(&primary, &self_signature);
    if self_signature.may_sign != Some(false) {
        signers.push(Signer { key: primary.clone(), expires: primary_expires });
    }
    for (body, signatures) in &parts.subkeys {
        let Some(subkey) = PublicKey::parse(body) else { continue };
        let message = [primary.hashed.as_slice(), &subkey.hashed].concat();
        let verified: Vec<_> = signatures.iter().filter(|it| it.verifies(&primary, &message)).collect();
        let revoked = verified.iter().any(|signature| signature.kind == kind::SUBKEY_REVOCATION);
        let bindings = verified.into_iter().filter(|signature| binds(signature, &subkey, &message));
        let Some(binding) = bindings.max_by_key(|signature| signature.created).filter(|_| !revoked) else { continue };
        let expires = [primary_expires, expiry(&subkey, binding)].into_iter().flatten().min();
        signers.push(Signer { key: subkey, expires });
    }
    signers
}

/// The signature of a primary key that says what the key may do and how long: the newest over a user id that is not
/// revoked, or where there is none, the newest over the key itself. None for a key that is revoked.
fn self_signature(primary: &PublicKey, parts: &Parts<'_>) -> Option<Signature> {
    let newest = |of: Vec<Signature>| of.into_iter().max_by_key(|signature| signature.created);
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
            certifications.extend(verified);
        }
    }
    certifications.retain(|signature| kind::CERTIFICATIONS.contains(&signature.kind));
    newest(certifications)
        .or_else(|| newest(direct.into_iter().filter(|signature| signature.kind == kind::DIRECT_KEY).collect()))
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

impl<'a> Parts<'a> {
    fn of(packets: &[Packet<'a>]) -> Self {
        let mut parts = Self::default();
        // Which packet a signature is over is told by the packet before it; those over anything else are dropped.
        let mut over = packet::PUBLIC_KEY;
        for packet in packets {
            match packet.tag {
                packet::USER_ID => parts.user_ids.push((packet.body, Vec::new())),
                packet::PUBLIC_SUBKEY => parts.subkeys.push((packet.body, Vec::new())),
                packet::SIGNATURE => {
                    let list = match over {
                        packet::PUBLIC_KEY => Some(&mut parts.direct),
                        packet::USER_ID => parts.user_ids.last_mut().map(|(_, list)| list),
                        packet::PUBLIC_SUBKEY => parts.subkeys.last_mut().map(|(_, list)| list),
                        _ => None,
                    };
                    if let Some(list) = list {
                        list.extend(Signature::parse(packet.body));
                    }
                    continue;
                }
                _ => {}
            }
            over = packet.tag;
        }
        parts
    }
}
