//! Accepts connections. Closes a connection if no request arrives in time.

use std::pin::pin;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;

/// Maximum time for the head of a request to arrive, from the beginning of the connection or from the answer before. It is
/// longer than the minute after which common load balancers close a connection themselves.
pub(super) const HEAD_TIMEOUT: Duration = Duration::from_secs(75);
/// The pause after a connection that cannot be accepted, because all file descriptors are in use.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// The times that connections may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timeouts {
    /// For the head of a request; see [`HEAD_TIMEOUT`].
    pub(super) head: Duration,
    /// For the requests under way when the server stops.
    pub(super) shutdown: Duration,
}

/// Answers requests until `stop` resolves, and then the requests under way. Returns false if some of
/// them were not answered in time.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    timeouts: Timeouts,
    stop: impl Future<Output = ()>,
) -> bool {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(timeouts.head);
    let open = GracefulShutdown::new();
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        match accepted {
            Ok((stream, _)) => {
                let service = TowerToHyperService::new(router.clone());
                let connection = open.watch(http.serve_connection(TokioIo::new(stream), service));
                // An error means that the client went away.
                tokio::spawn(async { drop(connection.await) });
            }
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
    drop(listener);
    tokio::time::timeout(timeouts.shutdown, open.shutdown()).await.is_ok()
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpStream};
    use std::time::Instant;

    use axum::routing::get;
    use tokio::sync::oneshot;

    use super::*;

    const TIMEOUT: Duration = Duration::from_millis(500);
    const LONG: Duration = Duration::from_secs(60);

    /// Runs a server until `test` returns, and then until it has stopped. Returns whether it has answered all requests.
    fn with_server(shutdown: Duration, test: impl FnOnce(SocketAddr)) -> bool {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0))).unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new()
            .route("/", get(async || "here"))
            .route("/large", get(async || "more than the buffers of a connection take".repeat(1_000_000)));
        let timeouts = Timeouts { head: TIMEOUT, shutdown };
        let server = runtime.spawn(serve(listener, router, timeouts, async { drop(stopped.await) }));
        test(address);
        drop(stop);
        runtime.block_on(server).unwrap()
    }

    fn connect(address: SocketAddr, text: &str) -> TcpStream {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        stream
    }

    #[test]
    fn a_connection_ends_if_no_head_arrives_in_time() {
        let stopped = with_server(LONG, |address| {
            for text in ["", "GET / HTTP/1.1\r\nhost: test\r\n"] {
                let (started, mut rest) = (Instant::now(), String::new());
                connect(address, text).read_to_string(&mut rest).unwrap();
                assert!(started.elapsed() >= TIMEOUT, "{text:?} {:?}", started.elapsed());
                assert!(!rest.contains("200 OK"), "{rest}");
            }
            let mut rest = String::new();
            connect(address, "GET / HTTP/1.1\r\nhost: test\r\n\r\n").read_to_string(&mut rest).unwrap();
            assert!(rest.contains("200 OK") && rest.ends_with("here"), "{rest}");
        });
        assert!(stopped);
    }

    #[test]
    fn half_of_a_head_does_not_keep_a_server_that_stops() {
        let (mut half, mut stopping) = (None, Instant::now());
        let stopped = with_server(LONG, |address| {
            half = Some(connect(address, "GET / HTTP/1.1\r\n"));
            std::thread::sleep(TIMEOUT / 5);
            stopping = Instant::now();
        });
        assert!(stopped && stopping.elapsed() < Duration::from_secs(10), "{:?}", stopping.elapsed());
    }

    #[test]
    fn an_answer_that_is_not_read_keeps_a_server_that_stops_for_some_time_only() {
        let (mut unread, mut stopping) = (None, Instant::now());
        let stopped = with_server(TIMEOUT, |address| {
            let mut stream = connect(address, "GET /large HTTP/1.1\r\nhost: test\r\n\r\n");
            // The answer has begun.
            stream.read_exact(&mut [0; 100]).unwrap();
            unread = Some(stream);
            stopping = Instant::now();
        });
        assert!(!stopped && stopping.elapsed() >= TIMEOUT, "{:?}", stopping.elapsed());
        // A client that reads on gets the whole answer.
        let mut reading = None;
        let stopped = with_server(LONG, |address| {
            let mut stream = connect(address, "GET /large HTTP/1.1\r\nhost: test\r\n\r\n");
            stream.read_exact(&mut [0; 100]).unwrap();
            reading = Some(std::thread::spawn(move || stream.read_to_end(&mut Vec::new()).unwrap()));
        });
        let length = reading.map_or(0, |thread| thread.join().unwrap());
        assert!(stopped && length > 42_000_000, "{length}");
    }
}
