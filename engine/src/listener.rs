//! Accepting connections with a bound: a fixed number at a time, an accept
//! error never ends the server, and the peer's certificate stays readable. And
//! how configurations write where somebody listens.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::transport::Uri;
use tonic::transport::server::{Connected, TcpConnectInfo};

/// Pause after a failed accept: with no file descriptor left, accepting again
/// at once would only burn a core.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// An address of a server, `grpc+tls://host:port` and nothing else.
pub fn address(text: &str) -> Option<Uri> {
    let uri: Uri = text.parse().ok()?;
    let bare = uri.path() == "/" || uri.path().is_empty();
    let authority = uri.authority()?;
    let good = uri.scheme_str() == Some("grpc+tls")
        && bare
        && uri.query().is_none()
        && !authority.host().is_empty()
        && !authority.as_str().contains('@')
        && authority.port_u16().is_some();
    good.then_some(uri)
}

/// Connections of `listener`, at most `limit` at a time; the others wait in the kernel's backlog.
pub fn connections(listener: TcpListener, limit: usize) -> impl Stream<Item = io::Result<Connection>> {
    let slots = Arc::new(Semaphore::new(limit));
    futures::stream::unfold((listener, slots), |(listener, slots)| async move {
        let slot = slots.clone().acquire_owned().await.ok()?;
        let stream = accept(&listener).await;
        Some((Ok(Connection { stream, _slot: slot }), (listener, slots)))
    })
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "cannot turn off Nagle's algorithm");
                }
                return stream;
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// A TCP connection that holds one of the listener's slots while it lives.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    _slot: OwnedSemaphorePermit,
}

impl Connected for Connection {
    // As for a bare TCP stream, so that `Request::peer_certs` finds the certificates.
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.stream.connect_info()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;

    use super::*;

    #[tokio::test]
    async fn a_connection_over_the_limit_waits_for_a_slot() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut incoming = std::pin::pin!(connections(listener, 1));
        let _first = TcpStream::connect(address).await.unwrap();
        let _second = TcpStream::connect(address).await.unwrap();

        let held = incoming.next().await.unwrap().unwrap();
        let waiting = tokio::time::timeout(Duration::from_millis(50), incoming.next()).await;
        assert!(waiting.is_err(), "a second connection was accepted");

        drop(held);
        let next = tokio::time::timeout(Duration::from_secs(5), incoming.next()).await;
        assert!(next.unwrap().unwrap().is_ok());
    }
}
