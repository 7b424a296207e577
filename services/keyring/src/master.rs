use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::wrap::{self, Secret};
use crate::{Error, Result};

/// The key that wraps all others: 32 bytes, wiped when dropped, never shown.
pub struct MasterKey(pub(crate) Secret);

impl MasterKey {
    /// A fresh one from the system's randomness.
    #[must_use]
    pub fn generate() -> Self {
        Self(wrap::random())
    }

    /// Standard base64, padded: what `FromStr` reads, for the file that keeps it. The caller wipes the text.
    #[must_use]
    pub fn to_base64(&self) -> String {
        STANDARD.encode(self.0.as_slice())
    }
}

impl FromStr for MasterKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bytes = STANDARD.decode(text.trim()).map(Zeroizing::new).map_err(|_| Error::MalformedMasterKey)?;
        let bytes = <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| Error::MalformedMasterKey)?;
        Ok(Self(Zeroizing::new(bytes)))
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_master_key_reads_back_and_never_shows_itself() {
        let key = MasterKey::generate();
        let again: MasterKey = key.to_base64().parse().unwrap();
        assert_eq!(again.0, key.0);
        assert_eq!(format!("{again:?}"), "MasterKey(…)");
    }

    #[test]
    fn what_is_no_master_key_is_refused() {
        for text in ["", "x", "AAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="] {
            assert!(matches!(text.parse::<MasterKey>(), Err(Error::MalformedMasterKey)), "{text}");
        }
    }
}
