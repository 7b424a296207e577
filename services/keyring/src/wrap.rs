//! Keys under keys, and keys from keys.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use hmac::{Hmac, Mac};
use rand::RngCore;
use sha2::Sha256;
use zeroize::Zeroizing;

/// 256 bits, wiped when dropped.
pub(crate) type Secret = Zeroizing<[u8; 32]>;

/// Length of the random nonce that stands before a ciphertext.
pub(crate) const NONCE: usize = 12;

pub(crate) fn random<const N: usize>() -> Zeroizing<[u8; N]> {
    let mut bytes = Zeroizing::new([0; N]);
    rand::rngs::OsRng.fill_bytes(bytes.as_mut());
    bytes
}

/// Nonce ‖ ciphertext ‖ tag, bound to `place`.
pub(crate) fn encrypt(key: &Secret, place: &str, plain: &[u8]) -> Vec<u8> {
    let mut nonce = [0; NONCE];
    rand::thread_rng().fill_bytes(&mut nonce);
    #[expect(clippy::expect_used, reason = "AES-GCM refuses only more than 64 GiB")]
    let sealed = cipher(key)
        .encrypt(Nonce::from_slice(&nonce), Payload { msg: plain, aad: place.as_bytes() })
        .expect("far below 64 GiB");
    [nonce.as_slice(), &sealed].concat()
}

/// What [`encrypt`] made of it; `None` if key, place or content are others.
pub(crate) fn decrypt(key: &Secret, place: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, sealed) = sealed.split_at_checked(NONCE)?;
    let payload = Payload { msg: sealed, aad: place.as_bytes() };
    cipher(key).decrypt(Nonce::from_slice(nonce), payload).ok().map(Zeroizing::new)
}

/// The key that [`encrypt`] wrapped.
pub(crate) fn unwrap(key: &Secret, place: &str, wrapped: &[u8]) -> Option<Secret> {
    let plain = decrypt(key, place, wrapped)?;
    <[u8; 32]>::try_from(plain.as_slice()).ok().map(Zeroizing::new)
}

/// A key for one purpose, so that what one purpose reveals helps no other.
pub(crate) fn derive(key: &Secret, label: &str) -> Secret {
    Zeroizing::new(mac(key, label.as_bytes()).finalize().into_bytes().into())
}

/// HMAC-SHA256, lower-case hex.
pub(crate) fn digest(key: &Secret, input: &[u8]) -> String {
    let bytes = mac(key, input).finalize().into_bytes();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn mac(key: &Secret, input: &[u8]) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(key.as_slice()).expect("every length");
    mac.update(input);
    mac
}

fn cipher(key: &Secret) -> Aes256Gcm {
    Aes256Gcm::new(Key::<Aes256Gcm>::from_slice(key.as_slice()))
}
