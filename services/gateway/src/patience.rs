//! Connections whose peer takes nothing for too long are closed, whatever is served on them: else a reader that stands still
//! would keep its answer in memory for ever.

use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// How long a write may wait for the peer. A socket gives up on its own a little earlier, and says why.
pub(crate) const LIMIT: Duration = Duration::from_secs(32);

/// A listener whose connections have patience, but not for ever.
pub(crate) struct Patient<L>(pub(crate) L);

impl<L: Listener> Listener for Patient<L> {
    type Io = Connection<L::Io>;
    type Addr = L::Addr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (stream, peer) = self.0.accept().await;
        (Connection { stream, waiting: None, limit: LIMIT }, peer)
    }

    fn local_addr(&self) -> Result<Self::Addr> {
        self.0.local_addr()
    }
}

/// A connection that fails a write which makes no progress within `limit`.
pub(crate) struct Connection<S> {
    stream: S,
    waiting: Option<Pin<Box<Sleep>>>,
    limit: Duration,
}

impl<S: AsyncWrite + Unpin> Connection<S> {
    /// Passes a write's outcome on; one that has waited for too long fails instead.
    fn judge<T>(&mut self, cx: &mut Context<'_>, written: Poll<Result<T>>) -> Poll<Result<T>> {
        if written.is_ready() {
            self.waiting = None;
            return written;
        }
        let limit = self.limit;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(limit)));
        match waiting.as_mut().poll(cx) {
            Poll::Ready(()) => {
                metrics::counter!("loquent_slow_readers_closed_total").increment(1);
                Poll::Ready(Err(Error::new(ErrorKind::TimedOut, "the peer takes nothing")))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Connection<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Connection<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.judge(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.judge(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.judge(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    fn connection<S>(stream: S) -> Connection<S> {
        Connection { stream, waiting: None, limit: Duration::from_millis(200) }
    }

    #[tokio::test]
    async fn a_peer_that_takes_nothing_is_given_up() {
        let (ours, _theirs) = duplex(1024);
        let written = connection(ours).write_all(&[0; 4096]).await;
        assert_eq!(written.map_err(|error| error.kind()), Err(ErrorKind::TimedOut));
    }

    #[tokio::test]
    async fn a_peer_that_takes_little_by_little_is_served() {
        let (ours, mut theirs) = duplex(1024);
        let reading = tokio::spawn(async move {
            let mut all = Vec::new();
            let mut piece = [0; 1024];
            while let Ok(read @ 1..) = theirs.read(&mut piece).await {
                all.extend_from_slice(&piece[..read]);
                tokio::time::sleep(Duration::from_millis(80)).await;
            }
            all.len()
        });
        let mut ours = connection(ours);
        ours.write_all(&[0; 8192]).await.expect("written");
        drop(ours);
        assert_eq!(reading.await.expect("read"), 8192);
    }
}
