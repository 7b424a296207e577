//! Reading an answer's body: never more than asked for, whatever it unpacks to.

use std::io::{self, Write};

use flate2::write::MultiGzDecoder;
use reqwest::Response;
use reqwest::header::CONTENT_ENCODING;
use tokio::time::{Instant, timeout_at};

/// What came of a body.
#[derive(Debug, Default)]
pub(in crate::tool) struct Body {
    pub(in crate::tool) bytes: Vec<u8>,
    pub(in crate::tool) end: End,
}

/// How it ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::tool) enum End {
    /// All of it is there.
    #[default]
    Whole,
    /// There is more than was asked for.
    Cut,
    /// It broke off, or took too long.
    Broken,
    /// It came in an encoding that nobody asked for.
    Unreadable,
}

/// Reads at most `limit` bytes, counted after decoding, until the deadline.
pub(super) async fn read(mut response: Response, limit: usize, deadline: Instant) -> Body {
    let encoding = response.headers().get(CONTENT_ENCODING).map_or("", |value| value.to_str().unwrap_or("?"));
    let mut decoder = match encoding.trim().to_ascii_lowercase().as_str() {
        "" | "identity" => Decoder::Plain(Sink::new(limit)),
        "gzip" | "x-gzip" => Decoder::Gzip(MultiGzDecoder::new(Sink::new(limit))),
        _ => return Body { bytes: Vec::new(), end: End::Unreadable },
    };
    let mut arrived = 0_usize;
    loop {
        let part = match timeout_at(deadline, response.chunk()).await {
            Ok(Ok(Some(part))) => part,
            Ok(Ok(None)) => break,
            Ok(Err(_)) | Err(_) => return decoder.body(End::Broken),
        };
        // Packed bytes that unpack to nothing count as well.
        arrived = arrived.saturating_add(part.len());
        if decoder.write_all(&part).is_err() || arrived > limit.saturating_add(1024) {
            let end = if decoder.sink().full || arrived > limit { End::Cut } else { End::Broken };
            return decoder.body(end);
        }
    }
    decoder.finish(arrived)
}

enum Decoder {
    Plain(Sink),
    Gzip(MultiGzDecoder<Sink>),
}

impl Decoder {
    fn sink(&mut self) -> &mut Sink {
        match self {
            Self::Plain(sink) => sink,
            Self::Gzip(decoder) => decoder.get_mut(),
        }
    }

    fn write_all(&mut self, part: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(sink) => sink.write_all(part),
            Self::Gzip(decoder) => decoder.write_all(part),
        }
    }

    fn body(mut self, end: End) -> Body {
        let bytes = std::mem::take(&mut self.sink().bytes);
        // Dropped, the decoder would try to unpack what it still holds.
        self.sink().limit = 0;
        Body { bytes, end }
    }

    fn finish(mut self, arrived: usize) -> Body {
        let ended = match &mut self {
            Self::Plain(_) => Ok(()),
            // An answer without a body may still name an encoding.
            Self::Gzip(_) if arrived == 0 => Ok(()),
            Self::Gzip(decoder) => decoder.try_finish(),
        };
        let end = match ended {
            _ if self.sink().full => End::Cut,
            Ok(()) => End::Whole,
            Err(_) => End::Broken,
        };
        self.body(end)
    }
}

/// Takes so many bytes and no more.
struct Sink {
    bytes: Vec<u8>,
    limit: usize,
    full: bool,
}

impl Sink {
    fn new(limit: usize) -> Self {
        Self { bytes: Vec::new(), limit, full: false }
    }
}

impl Write for Sink {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        let room = self.limit.saturating_sub(self.bytes.len());
        let taken = &part[..part.len().min(room)];
        self.bytes.extend_from_slice(taken);
        if taken.len() < part.len() {
            self.full = true;
            return Err(io::Error::other("the limit is reached"));
        }
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
