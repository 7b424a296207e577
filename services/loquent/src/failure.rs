//! How a command ends badly: with one line, and with the exit code that says whose fault it was.

use std::error::Error;
use std::process::ExitCode;

/// Why a command did not do what it was asked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The settings or the command line are wrong: exit 2.
    Usage(String),
    /// It was tried and failed: exit 1.
    Failed(String),
}

/// What a step towards a command's end answers.
pub(crate) type Outcome<T> = Result<T, Failure>;

impl Failure {
    /// Wrong settings or a wrong command line.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::Usage(message.into())
    }

    /// Tried and failed.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::Failed(message.into())
    }

    /// The line to print.
    pub(crate) fn message(&self) -> &str {
        match self {
            Self::Usage(message) | Self::Failed(message) => message,
        }
    }

    /// Prints the line and answers the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        eprintln!("loquent: {}", self.message().replace('\n', " "));
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::Failed(_) => ExitCode::from(1),
        }
    }
}

impl<E: Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Failed(with_causes(&error))
    }
}

/// The error's text and its causes', each once: many errors repeat their cause's.
pub(crate) fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

/// Says what was being done when an error came.
pub(crate) trait During<T> {
    /// The error as a failure that begins with `what`.
    fn during(self, what: &str) -> Outcome<T>;
}

impl<T, E: Error> During<T> for Result<T, E> {
    fn during(self, what: &str) -> Outcome<T> {
        self.map_err(|error| Failure::Failed(format!("{what}: {}", with_causes(&error))))
    }
}
