//! Lengths of time as people write them: `250ms`, `10s`, `5m`, `1h`, `30d`.

use std::time::Duration;

/// Reads a length of time.
///
/// # Errors
/// It has no unit, an unknown one, or no whole number before it.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let milliseconds = match unit.trim() {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => 0,
    };
    let number: Option<u64> = number.parse().ok().filter(|_| milliseconds > 0);
    let length = number.and_then(|number| number.checked_mul(milliseconds)).map(Duration::from_millis);
    length.ok_or_else(|| format!("\"{text}\" is not a length of time such as 250ms, 10s, 5m, 1h or 30d"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_a_whole_number_and_a_unit() {
        assert_eq!(parse("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(parse("2 h"), Ok(Duration::from_secs(7200)));
        for wrong in ["", "10", "s", "1.5s", "-1s", "1w", "99999999999999999999s", "18446744073709551615d"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
