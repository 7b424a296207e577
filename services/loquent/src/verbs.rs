//! The commands beside `serve`: each does one thing, prints its result on stdout and ends.

pub(crate) mod context;
pub(crate) mod doctor;
pub(crate) mod migrate;
pub(crate) mod rebuild;
pub(crate) mod schema;
pub(crate) mod settings;
pub(crate) mod tail;
pub(crate) mod token;
pub(crate) mod topics;

use std::io::Write;

use crate::failure::Outcome;

/// Prints a line of a result. A reader that has gone away ends the command without a complaint.
///
/// # Errors
/// Stdout cannot be written.
pub(crate) fn print(line: impl std::fmt::Display) -> Outcome<()> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{line}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        written => Ok(written?),
    }
}
