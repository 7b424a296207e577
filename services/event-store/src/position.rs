use std::fmt;
use std::str::FromStr;

/// A place in the order of all events of the store. The default is before the first.
///
/// Valid within one database: it is a consumer's checkpoint, never a client's cursor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// PostgreSQL: the transaction that appended; SQLite: 0.
    pub txid: u64,
    /// The row's own number, which orders within a transaction.
    pub number: u64,
}

/// A text that is no position.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not a position of the event store")]
pub struct PositionError;

impl fmt::Display for Position {
    /// `<txid>-<number>`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.txid, self.number)
    }
}

impl FromStr for Position {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, PositionError> {
        let (txid, number) = text.split_once('-').ok_or(PositionError)?;
        let digits = |text: &str| {
            let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            plain.then_some(text).and_then(|text| text.parse().ok()).ok_or(PositionError)
        };
        Ok(Self { txid: digits(txid)?, number: digits(number)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_reads_back_and_orders_by_transaction_first() {
        let earlier = Position { txid: 7, number: 900 };
        assert_eq!(earlier.to_string().parse(), Ok(earlier));
        assert!(earlier < Position { txid: 8, number: 1 });
        assert!(Position::default() < Position { txid: 0, number: 1 });
    }

    #[test]
    fn what_is_no_position_is_refused() {
        for text in ["", "7", "7-", "-7", "7-x", "+7-1", "7-1-2"] {
            assert_eq!(text.parse::<Position>(), Err(PositionError), "{text}");
        }
    }
}
