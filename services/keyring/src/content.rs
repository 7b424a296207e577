use std::fmt;
use std::io::{Read, Write};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use events::{Field, KeyId, Sealed};
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use zeroize::Zeroizing;

use crate::wrap::{self, Secret};
use crate::{Error, Result};

/// The form that is written.
const VERSION: u8 = 1;
const RAW: u8 = 0;
const DEFLATED: u8 = 1;
/// Shorter texts hardly shrink.
const WORTH_DEFLATING: usize = 512;
/// No value is longer; whoever sealed more than this was not us.
const INFLATED_LIMIT: u64 = 16 << 20;

/// What seals the values of one person in one conversation. Cheap to clone; wiped when the last clone goes.
#[derive(Clone)]
pub struct ContentKey(Arc<Inner>);

struct Inner {
    id: KeyId,
    sealing: Secret,
    digesting: Secret,
}

impl ContentKey {
    pub(crate) fn new(id: KeyId, sealing: Secret) -> Self {
        let digesting = wrap::derive(&sealing, "loquent digest v1");
        Self(Arc::new(Inner { id, sealing, digesting }))
    }

    /// Its id, which every value that it seals names.
    #[must_use]
    pub fn id(&self) -> KeyId {
        self.0.id
    }

    /// Seals a text for the place where it will stand. Two seals of one text differ.
    #[must_use]
    pub fn seal(&self, field: &Field<'_>, text: &str) -> Sealed {
        let sealed = wrap::encrypt(&self.0.sealing, &field.to_string(), &packed(text));
        Sealed { v: VERSION, k: self.0.id, b: URL_SAFE_NO_PAD.encode(sealed) }
    }

    /// HMAC-SHA256 in lower-case hex, under a key derived from this one: a plain hash of a short text can be guessed.
    #[must_use]
    pub fn digest(&self, input: &[u8]) -> String {
        wrap::digest(&self.0.digesting, input)
    }

    pub(crate) fn open(&self, sealed: &Sealed, field: &Field<'_>) -> Result<String> {
        let bytes = URL_SAFE_NO_PAD.decode(&sealed.b).map_err(|_| Error::DamagedValue("it is not base64url"))?;
        let plain = wrap::decrypt(&self.0.sealing, &field.to_string(), &bytes)
            .ok_or(Error::DamagedValue("it was altered, or belongs elsewhere"))?;
        unpacked(&plain)
    }
}

impl fmt::Debug for ContentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContentKey({})", self.0.id)
    }
}

/// A version that this build cannot read.
pub(crate) fn check_version(sealed: &Sealed) -> Result<()> {
    if sealed.v == VERSION { Ok(()) } else { Err(Error::DamagedValue("its version is unknown")) }
}

/// The flag byte and the text, deflated where that is shorter.
fn packed(text: &str) -> Zeroizing<Vec<u8>> {
    if text.len() > WORTH_DEFLATING
        && let Some(short) = deflated(text.as_bytes())
        && short.len() <= text.len()
    {
        return short;
    }
    let mut plain = Zeroizing::new(Vec::with_capacity(1 + text.len()));
    plain.push(RAW);
    plain.extend_from_slice(text.as_bytes());
    plain
}

fn deflated(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut encoder = DeflateEncoder::new(vec![DEFLATED], Compression::default());
    encoder.write_all(text).ok()?;
    encoder.finish().ok().map(Zeroizing::new)
}

fn unpacked(plain: &[u8]) -> Result<String> {
    match plain.split_first() {
        Some((&RAW, text)) => String::from_utf8(text.to_vec()).map_err(|_| Error::DamagedValue("it is not text")),
        Some((&DEFLATED, packed)) => {
            let mut text = String::new();
            let read = DeflateDecoder::new(packed).take(INFLATED_LIMIT + 1).read_to_string(&mut text);
            read.map_err(|_| Error::DamagedValue("it does not inflate to text"))?;
            let fits = text.len() as u64 <= INFLATED_LIMIT;
            fits.then_some(text).ok_or(Error::DamagedValue("it is too long"))
        }
        _ => Err(Error::DamagedValue("its form is unknown")),
    }
}

#[cfg(test)]
mod tests;
