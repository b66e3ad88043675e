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

/// Answers requests until `stop` resolves, and then the requests under way.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    head_timeout: Duration,
    stop: impl Future<Output = ()>,
) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(head_timeout);
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
    open.shutdown().await;
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

    /// Runs a server until `test` returns, and then until all connections have ended.
    fn with_server(test: impl FnOnce(SocketAddr)) {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0))).unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", get(async || "here"));
        let server = runtime.spawn(serve(listener, router, TIMEOUT, async { drop(stopped.await) }));
        test(address);
        drop(stop);
        runtime.block_on(server).unwrap();
    }

    fn connect(address: SocketAddr, text: &str) -> TcpStream {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        stream
    }

    #[test]
    fn a_connection_ends_if_no_head_arrives_in_time() {
        with_server(|address| {
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
    }

    #[test]
    fn half_of_a_head_does_not_keep_a_server_that_stops() {
        let (mut half, mut stopping) = (None, Instant::now());
        with_server(|address| {
            half = Some(connect(address, "GET / HTTP/1.1\r\n"));
            std::thread::sleep(TIMEOUT / 5);
            stopping = Instant::now();
        });
        assert!(stopping.elapsed() < Duration::from_secs(10), "{:?}", stopping.elapsed());
    }
}
