//! Files whose signature lies beside them.

use std::{fs, io};

use camino::{Utf8Path, Utf8PathBuf};

use super::{
    Keyring, VerifyError, armor,
    keyring::{self, Signer},
    packet::{Signature, kind},
};

/// Who signed a file, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedBy {
    /// Of the primary key, also where a subkey made the signature: 40 upper-case hexadecimal digits.
    pub fingerprint: String,
    /// The user id that the key stands by, such as `Name <address>`, if it has one.
    pub user_id: Option<String>,
    /// Seconds since 1970, as the signature says.
    pub when: u64,
}

/// Why a file is not trusted.
#[derive(Debug, thiserror::Error)]
pub enum DetachedError {
    /// The file cannot be read.
    #[error("reading {path}")]
    Io {
        /// The file.
        path: Utf8PathBuf,
        /// Why not.
        #[source]
        error: io::Error,
    },
    /// The signature is damaged, bad, or by nobody that is trusted.
    #[error("verifying {path}")]
    Verify {
        /// The file.
        path: Utf8PathBuf,
        /// What is wrong.
        #[source]
        error: VerifyError,
    },
}

/// Verifies the file at `path` with an armoured signature (an `.asc` file). At least one signature must be by a key of
/// the keyring, and none by a key of the keyring may be bad. Signature and key are judged at the time of the signature:
/// a release stays signed when the key of its manager expires. A revoked key is none at any time.
///
/// The file is held in memory, because ring's RSA takes all of what is signed at once: this is for archives of sources,
/// not for images.
///
/// # Errors
/// The file cannot be read or is not trusted.
pub fn verify_detached(path: &Utf8Path, signature: &[u8], keyring: &Keyring) -> Result<SignedBy, DetachedError> {
    let error = |error| DetachedError::Verify { path: path.to_owned(), error };
    let signatures = signatures(signature).map_err(error)?;
    let mut file = fs::read(path).map_err(|error| DetachedError::Io { path: path.to_owned(), error })?;
    let fits = |signature: &Signature, key: &_| signature.verifies_in_place(key, &mut file);
    let good = keyring.judge(&signatures, None, fits).map_err(error)?;
    let newest = good.into_iter().max_by_key(|(_, signature)| signature.created);
    newest.map(|(signer, signature)| signed_by(signer, signature)).ok_or_else(|| error(VerifyError::Unknown(vec![])))
}

fn signatures(armored: &[u8]) -> Result<Vec<Signature>, VerifyError> {
    let text = std::str::from_utf8(armored).map_err(|_| armor::ArmorError::Encoding)?;
    keyring::signatures(&armor::dearmor(text, "PGP SIGNATURE")?, kind::BINARY)
}

fn signed_by(signer: &Signer, signature: &Signature) -> SignedBy {
    let fingerprint = signer.primary.iter().map(|byte| format!("{byte:02X}")).collect();
    SignedBy { fingerprint, user_id: signer.user_id.clone(), when: signature.created }
}
