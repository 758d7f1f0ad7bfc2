//! Packets: their framing, and the bodies of keys and signatures.

use ring::{digest, signature};

/// A packet: its type and its body.
#[derive(Clone, Copy)]
pub(super) struct Packet<'a> {
    pub(super) tag: u8,
    pub(super) body: &'a [u8],
}

/// The packet types that are looked at: RFC 9580, section 5.
pub(super) const SIGNATURE: u8 = 2;
pub(super) const PUBLIC_KEY: u8 = 6;
pub(super) const USER_ID: u8 = 13;
pub(super) const PUBLIC_SUBKEY: u8 = 14;

/// Cuts bytes into packets. None where a packet is cut off or of a kind that only streams of data have.
pub(super) fn packets(mut bytes: &[u8]) -> Option<Vec<Packet<'_>>> {
    let mut packets = Vec::new();
    while let Some((&head, rest)) = bytes.split_first() {
        let mut reader = Reader(rest);
        let (tag, length) = match head & 0xc0 {
            0xc0 => (head & 0x3f, reader.new_length()?),
            0x80 => {
                let size = match head & 3 {
                    kind @ 0..=2 => 1 << kind,
                    _ => return None,
                };
                (head >> 2 & 0xf, reader.number(size)?)
            }
            _ => return None,
        };
        packets.push(Packet { tag, body: reader.take(length)? });
        bytes = reader.0;
    }
    Some(packets)
}

/// Bytes that are read from the front.
#[derive(Clone, Copy)]
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self, size: usize) -> Option<usize> {
        Some(self.take(size)?.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)))
    }

    /// The length of a packet in the current format: RFC 9580, section 4.2.1, without partial lengths.
    fn new_length(&mut self) -> Option<usize> {
        match self.number(1)? {
            short @ 0..192 => Some(short),
            first @ 192..224 => Some(((first - 192) << 8) + self.number(1)? + 192),
            255 => self.number(4),
            _ => None,
        }
    }

    /// The length of a subpacket, which differs in that it has no partial lengths to leave room for.
    fn subpacket_length(&mut self) -> Option<usize> {
        match self.number(1)? {
            short @ 0..192 => Some(short),
            first @ 192..255 => Some(((first - 192) << 8) + self.number(1)? + 192),
            _ => self.number(4),
        }
    }

    /// A multiprecision integer, without leading zeros.
    fn integer(&mut self) -> Option<&'a [u8]> {
        let bits = self.number(2)?;
        let bytes = self.take(bits.div_ceil(8))?;
        Some(&bytes[bytes.iter().take_while(|byte| **byte == 0).count()..])
    }
}

/// A public key of a kind that is read here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PublicKey {
    /// Seconds since 1970.
    pub(super) created: u64,
    /// The low 64 bits of the fingerprint.
    pub(super) id: u64,
    pub(super) fingerprint: [u8; 20],
    /// What goes into the hash of a signature over the key.
    pub(super) hashed: Vec<u8>,
    material: Material,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Material {
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
    Ed25519(Vec<u8>),
}

/// Algorithm ids: RFC 9580, section 9.1.
const RSA: u8 = 1;
const EDDSA_LEGACY: u8 = 22;

impl PublicKey {
    /// Reads the body of a key packet; none for a key of another kind.
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        /// The object identifier of Ed25519: 1.3.6.1.4.1.11591.15.1.
        const ED25519: &[u8] = &[0x2b, 6, 1, 4, 1, 0xda, 0x47, 0x0f, 1];
        let mut reader = Reader(body);
        let (version, created, algorithm) = (reader.number(1)?, reader.number(4)?, reader.number(1)?);
        if version != 4 {
            return None;
        }
        let material = match u8::try_from(algorithm).ok()? {
            RSA => Material::Rsa { modulus: reader.integer()?.to_vec(), exponent: reader.integer()?.to_vec() },
            EDDSA_LEGACY => {
                let length = reader.number(1)?;
                if reader.take(length)? != ED25519 {
                    return None;
                }
                // A point in native encoding has the prefix 0x40.
                Material::Ed25519(reader.integer()?.strip_prefix(&[0x40])?.to_vec())
            }
            _ => return None,
        };
        let mut hashed = vec![0x99];
        hashed.extend(u16::try_from(body.len()).ok()?.to_be_bytes());
        hashed.extend_from_slice(body);
        let digest = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &hashed);
        let fingerprint: [u8; 20] = digest.as_ref().try_into().ok()?;
        let id = fingerprint[12..].iter().fold(0, |id, byte| id << 8 | u64::from(*byte));
        Some(Self { created: created as u64, id, fingerprint, hashed, material })
    }
}

/// Hash ids: RFC 9580, section 9.5.
const SHA256: u8 = 8;
const SHA384: u8 = 9;
const SHA512: u8 = 10;

/// What a signature is over, and says: RFC 9580, section 5.2.1.
pub(super) mod kind {
    pub(in crate::openpgp) const BINARY: u8 = 0x00;
    pub(in crate::openpgp) const TEXT: u8 = 0x01;
    pub(in crate::openpgp) const CERTIFICATIONS: std::ops::RangeInclusive<u8> = 0x10..=0x13;
    pub(in crate::openpgp) const SUBKEY_BINDING: u8 = 0x18;
    pub(in crate::openpgp) const PRIMARY_KEY_BINDING: u8 = 0x19;
    pub(in crate::openpgp) const DIRECT_KEY: u8 = 0x1f;
    pub(in crate::openpgp) const KEY_REVOCATION: u8 = 0x20;
    pub(in crate::openpgp) const SUBKEY_REVOCATION: u8 = 0x28;
    pub(in crate::openpgp) const CERTIFICATION_REVOCATION: u8 = 0x30;
}

/// A signature of a kind that is read here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Signature {
    pub(super) kind: u8,
    /// Seconds since 1970.
    pub(super) created: u64,
    /// Id of the key that made it.
    pub(super) issuer: u64,
    /// Seconds after its creation from which the signature counts no more; 0 for never.
    pub(super) lifetime: u64,
    /// Seconds after the creation of the key that it is over from which the key counts no more; 0 for never.
    pub(super) key_lifetime: u64,
    /// Whether the key that it is over may sign data; none where the signature does not say.
    pub(super) may_sign: Option<bool>,
    /// The signature of a subkey over its binding.
    pub(super) embedded: Option<Box<Signature>>,
    algorithm: u8,
    hash: u8,
    /// What goes into the hash behind that which is signed.
    trailer: Vec<u8>,
    value: Vec<u8>,
}

impl Signature {
    /// Reads the body of a signature packet; none for a signature of another kind, or with a critical subpacket that is
    /// not understood here.
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let mut reader = Reader(body);
        let (version, kind) = (reader.number(1)?, reader.number(1)? as u8);
        let (algorithm, hash) = (reader.number(1)? as u8, reader.number(1)? as u8);
        if version != 4 {
            return None;
        }
        let length = reader.number(2)?;
        let hashed = reader.take(length)?;
        let length = reader.number(2)?;
        let unhashed = reader.take(length)?;
        // The first two bytes of the hash, which the verification makes superfluous.
        reader.take(2)?;
        let value = match algorithm {
            RSA => reader.integer()?.to_vec(),
            EDDSA_LEGACY => [padded(reader.integer()?)?, padded(reader.integer()?)?].concat(),
            _ => return None,
        };
        let mut trailer = body[..6 + hashed.len()].to_vec();
        let end = u32::try_from(trailer.len()).ok()?.to_be_bytes();
        trailer.extend([4, 0xff]);
        trailer.extend(end);
        let mut signature = Self {
            kind,
            created: 0,
            issuer: 0,
            lifetime: 0,
            key_lifetime: 0,
            may_sign: None,
            embedded: None,
            algorithm,
            hash,
            trailer,
            value,
        };
        signature.read_subpackets(unhashed, false)?;
        signature.read_subpackets(hashed, true)?;
        (signature.created != 0).then_some(signature)
    }

    /// Reads subpackets: RFC 9580, section 5.2.3. What is not hashed anybody may have put there, so only that is taken
    /// from it which proves itself.
    fn read_subpackets(&mut self, bytes: &[u8], hashed: bool) -> Option<()> {
        const CREATED: u8 = 2;
        const LIFETIME: u8 = 3;
        const KEY_LIFETIME: u8 = 9;
        const ISSUER: u8 = 16;
        const KEY_FLAGS: u8 = 27;
        const EMBEDDED: u8 = 32;
        const ISSUER_FINGERPRINT: u8 = 33;
        /// Preferences, features and notes, which have no part in a verification.
        const IRRELEVANT: [u8; 11] = [7, 11, 12, 20, 21, 22, 23, 25, 26, 28, 30];
        let mut reader = Reader(bytes);
        while !reader.0.is_empty() {
            let length = reader.subpacket_length()?;
            let (&head, body) = reader.take(length)?.split_first()?;
            let number = |bytes: &[u8]| bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
            match head & 0x7f {
                ISSUER if body.len() == 8 => self.issuer = number(body),
                ISSUER_FINGERPRINT if body.len() == 21 && body[0] == 4 => self.issuer = number(&body[13..]),
                EMBEDDED => self.embedded = Self::parse(body).map(Box::new),
                _ if !hashed => {}
                CREATED if body.len() == 4 => self.created = number(body),
                LIFETIME if body.len() == 4 => self.lifetime = number(body),
                KEY_LIFETIME if body.len() == 4 => self.key_lifetime = number(body),
                KEY_FLAGS => self.may_sign = Some(body.first().is_some_and(|flags| flags & 2 != 0)),
                other if head & 0x80 != 0 && !IRRELEVANT.contains(&other) => return None,
                _ => {}
            }
        }
        Some(())
    }

    /// Whether the hash is one that nobody can forge.
    pub(super) fn is_strong(&self) -> bool {
        matches!(self.hash, SHA256 | SHA384 | SHA512)
    }

    /// Whether `key` made this signature over `message`.
    pub(super) fn verifies(&self, key: &PublicKey, message: &[u8]) -> bool {
        self.verifies_in_place(key, &mut message.to_vec())
    }

    /// As [`Signature::verifies`], without a copy of the message, which is the same afterwards.
    pub(super) fn verifies_in_place(&self, key: &PublicKey, message: &mut Vec<u8>) -> bool {
        let length = message.len();
        message.extend_from_slice(&self.trailer);
        let verifies = self.verifies_signed(key, message);
        message.truncate(length);
        verifies
    }

    fn verifies_signed(&self, key: &PublicKey, signed: &[u8]) -> bool {
        match (&key.material, self.algorithm) {
            (Material::Rsa { modulus, exponent }, RSA) => {
                let parameters = match self.hash {
                    SHA256 => &signature::RSA_PKCS1_2048_8192_SHA256,
                    SHA384 => &signature::RSA_PKCS1_2048_8192_SHA384,
                    SHA512 => &signature::RSA_PKCS1_2048_8192_SHA512,
                    _ => return false,
                };
                // The integer lost its leading zeros, which the verification wants.
                let Some(missing) = modulus.len().checked_sub(self.value.len()) else { return false };
                let value = [vec![0; missing], self.value.clone()].concat();
                let components = signature::RsaPublicKeyComponents { n: modulus, e: exponent };
                components.verify(parameters, signed, &value).is_ok()
            }
            (Material::Ed25519(point), EDDSA_LEGACY) => {
                let hash = match self.hash {
                    SHA256 => &digest::SHA256,
                    SHA384 => &digest::SHA384,
                    SHA512 => &digest::SHA512,
                    _ => return false,
                };
                let key = signature::UnparsedPublicKey::new(&signature::ED25519, point);
                key.verify(digest::digest(hash, signed).as_ref(), &self.value).is_ok()
            }
            _ => false,
        }
    }

    /// Whether the signature counts no more at `time`.
    pub(super) fn is_over(&self, time: u64) -> bool {
        self.lifetime != 0 && self.created + self.lifetime <= time
    }
}

/// A half of an Ed25519 signature: 32 bytes.
fn padded(integer: &[u8]) -> Option<Vec<u8>> {
    let missing = 32usize.checked_sub(integer.len())?;
    Some([vec![0; missing], integer.to_vec()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_of_both_formats_are_cut() {
        let bytes = [&[0xb4, 1, 7][..], &[0xcd, 2, 8, 9], &[0xb5, 0, 1, 5], &[0xcd, 255, 0, 0, 0, 0]].concat();
        let found: Vec<_> = packets(&bytes).unwrap().iter().map(|packet| (packet.tag, packet.body.to_vec())).collect();
        assert_eq!(found, [(13, vec![7]), (13, vec![8, 9]), (13, vec![5]), (13, vec![])]);
        let long = [&[0xcd, 192, 8][..], &[1; 200]].concat();
        assert_eq!(packets(&long).unwrap()[0].body.len(), 200);
    }

    #[test]
    fn what_is_cut_off_or_no_packet_is_refused() {
        for bytes in [&[0xcd, 2, 8][..], &[0xcd], &[0x00], &[0xb7, 1], &[0xcd, 0xe1, 0, 0], &[0xcd, 255, 0, 0]] {
            assert!(packets(bytes).is_none(), "{bytes:?}");
        }
        for length in 0..40 {
            assert!(Signature::parse(&vec![4; length]).is_none());
            assert!(PublicKey::parse(&vec![4; length]).is_none());
        }
    }
}
