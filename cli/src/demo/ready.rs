//! Asks a server over HTTP whether it is ready.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

const PAUSE: Duration = Duration::from_millis(25);
const ANSWER_TIME: Duration = Duration::from_secs(2);
/// More than any answer of `/readyz`.
const ANSWER_BYTES: u64 = 16 * 1024;

/// What `/readyz` said last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Readiness {
    Ready,
    /// The body of the answer, or why there is none.
    NotReady(String),
}

/// Asks until the server is ready, its answer is a final no, or the time is over.
pub(crate) async fn wait(address: SocketAddr, time: Duration, is_final: fn(&str) -> bool) -> Readiness {
    let end = Instant::now() + time;
    loop {
        let answer = ask(address).await;
        let is_over = match &answer {
            Readiness::Ready => true,
            Readiness::NotReady(answer) => is_final(answer) || Instant::now() >= end,
        };
        if is_over {
            return answer;
        }
        sleep(PAUSE).await;
    }
}

async fn ask(address: SocketAddr) -> Readiness {
    match timeout(ANSWER_TIME, get(address)).await {
        Ok(Ok(answer)) => judge(&answer),
        Ok(Err(error)) => Readiness::NotReady(error.to_string()),
        Err(_) => Readiness::NotReady("no answer".to_owned()),
    }
}

async fn get(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn judge(answer: &str) -> Readiness {
    let mut first_line = answer.lines().next().unwrap_or_default().split(' ');
    if first_line.nth(1) == Some("200") {
        return Readiness::Ready;
    }
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Readiness::NotReady(body.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_200_is_ready() {
        assert_eq!(judge("HTTP/1.1 200 OK\r\n\r\n{}"), Readiness::Ready);
        let answer = "HTTP/1.1 503 Service Unavailable\r\nA: b\r\n\r\n{\"ready\":false}\n";
        assert_eq!(judge(answer), Readiness::NotReady("{\"ready\":false}".to_owned()));
        assert_eq!(judge(""), Readiness::NotReady(String::new()));
    }

    #[tokio::test]
    async fn waiting_ends() {
        // Nobody listens on the discard port of this machine.
        let answer = wait(([127, 0, 0, 1], 9).into(), Duration::from_millis(60), |_| false).await;
        assert!(matches!(answer, Readiness::NotReady(_)));
    }
}
