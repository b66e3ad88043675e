//! `ranklet serve`: an HTTP server that existing rerank clients speak to.
//!
//! The paths and bodies are those of `ranklet/server` in the npm package; docs/openapi.json describes them.

mod access;
mod answer;
mod blocking;
mod body;
mod connections;
mod dialect;
mod documents;
mod fields;
mod http_error;
mod metrics;
mod origin;
mod requests;
mod routes;
mod scheduler;

use std::num::{NonZeroU64, NonZeroUsize};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use ranklet::{Error, ErrorKind, LongDocuments, Reranker, Result};
use tokio::net::TcpListener;

use crate::args::option;
use crate::terminal;
use access::Keys;
use connections::{HEAD_TIMEOUT, Timeouts};
use routes::{Server, Settings};
use scheduler::Scheduler;

/// Options of the server.
#[derive(Debug, Args)]
pub(crate) struct ServeArguments {
    /// The address or the name of this machine to listen on. The default is for programs of this machine only; 0.0.0.0 is for
    /// all machines.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    host: String,
    /// The port to listen on; 0 for a free one.
    #[arg(long, value_name = "PORT", default_value = "8787")]
    port: u16,
    /// The name of the model in answers. The default is the id of the model, or the last part of its folder.
    #[arg(long, value_name = "NAME")]
    served_model_name: Option<String>,
    /// A key that clients must send as Authorization: Bearer KEY. May be given several times.
    #[arg(long, value_name = "KEY", env = "RANKLET_API_KEY", hide_env_values = true, value_parser = key)]
    api_key: Vec<String>,
    /// An origin that web pages may call from, or *. May be given several times.
    #[arg(long, value_name = "ORIGIN", value_parser = origin::origin)]
    cors: Vec<String>,
    /// Tokens that are scored before other requests take their turn.
    #[arg(long, value_name = "N", default_value = "4096")]
    max_batch_tokens: NonZeroUsize,
    /// Maximum number of requests that are scored or wait. One more is answered with 429.
    #[arg(long, value_name = "N", default_value = "256")]
    max_queue: NonZeroUsize,
    /// Keep the scores of documents for later requests, in up to this many bytes. A document takes about 280.
    #[arg(long, value_name = "BYTES")]
    pub(crate) score_cache: Option<usize>,
    /// Maximum number of documents of a request.
    #[arg(long, value_name = "N", default_value = "1000")]
    max_documents: NonZeroUsize,
    /// Maximum number of tokens of a document. The rest is cut off; a request may ask for less.
    #[arg(long, value_name = "N")]
    max_tokens_per_document: Option<NonZeroUsize>,
    /// truncate: cut a document that does not fit; chunk: score it in overlapping chunks.
    #[arg(long, value_name = "METHOD", default_value = "truncate", value_parser = option::<LongDocuments>)]
    long_documents: LongDocuments,
    /// The instruction, for a model whose prompt contains one. The field `instruction` of a request replaces it.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    instruction: Option<String>,
    /// Maximum size of a request's body in bytes.
    #[arg(long, value_name = "N", default_value = "16777216")]
    max_body_bytes: NonZeroUsize,
    /// Maximum time in milliseconds that a request's body may take to arrive.
    #[arg(long, value_name = "N", default_value = "30000")]
    body_timeout_ms: NonZeroU64,
    /// Maximum time in milliseconds for the requests under way after a signal to stop. Those that are not answered by then end
    /// without an answer.
    #[arg(long, value_name = "N", default_value = "30000")]
    shutdown_timeout_ms: NonZeroU64,
}

fn key(text: &str) -> Result<String, String> {
    match text {
        "" => Err("an empty key would let every client in".to_owned()),
        // The value of a header has no spaces around it.
        _ if text.trim() != text || !text.chars().all(|char| matches!(char, ' '..='~')) => {
            Err("clients cannot send this key in a header: use letters, digits and punctuation of ASCII, without \
                 spaces or line breaks around them"
                .to_owned())
        }
        _ => Ok(text.to_owned()),
    }
}

/// Serves a model until the process is told to stop.
///
/// # Errors
/// `input` for a model with several labels, or for an address that cannot be used; `unsupported` for an instruction that the
/// model does not take.
pub(crate) fn serve(reranker: Reranker, model: &str, arguments: ServeArguments) -> Result<()> {
    reranker.check_rankable()?;
    reranker.check_instruction(arguments.instruction.as_deref())?;
    terminal::warnings(&reranker.info().warnings);
    let backend = &reranker.info().backend;
    let dtype = serde_json::json!(backend.dtype);
    let running = format!("{model} ({}) on {}", dtype.as_str().unwrap_or_default(), backend.engine);
    let (host, port) = (arguments.host, arguments.port);
    let shutdown = Duration::from_millis(arguments.shutdown_timeout_ms.get());
    let timeouts = Timeouts { head: HEAD_TIMEOUT, shutdown };
    let settings = Settings {
        model: arguments.served_model_name.unwrap_or_else(|| name_of(model)),
        cors: arguments.cors,
        max_documents: arguments.max_documents.get(),
        max_tokens_per_document: arguments.max_tokens_per_document.map(NonZeroUsize::get),
        long_documents: arguments.long_documents,
        instruction: arguments.instruction.map(Arc::from),
        max_body_bytes: arguments.max_body_bytes.get(),
        body_timeout: Duration::from_millis(arguments.body_timeout_ms.get()),
    };
    let reranker = Arc::new(reranker);
    let scheduler =
        Scheduler::start(Arc::clone(&reranker), arguments.max_batch_tokens.get(), arguments.max_queue.get());
    let server = Server::new(settings, Keys::new(arguments.api_key), scheduler, reranker);
    let failed = |error: std::io::Error| {
        let message = format!("cannot listen on {host}:{port}: {error}");
        Error::new(ErrorKind::Input, message).with_source(error)
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().map_err(failed)?;
    let ended = runtime.block_on(async {
        let listener = TcpListener::bind((host.as_str(), port)).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        terminal::status(&format!("ranklet: serving {running} at http://{address}"));
        let stop = async {
            signal().await;
            let seconds = timeouts.shutdown.as_secs_f64();
            terminal::status(&format!(
                "ranklet: stopping; requests under way have {seconds} s, and a second signal ends them"
            ));
        };
        let stop_at_once = async {
            signal().await;
            signal().await;
            false
        };
        let all_answered = tokio::select! {
            all_answered = connections::serve(listener, routes::router(server), timeouts, stop) => all_answered,
            all_answered = stop_at_once => all_answered,
        };
        match all_answered {
            true => Ok(()),
            false => Err(Error::new(ErrorKind::Aborted, "stopped before all requests were answered")),
        }
    });
    // Does not wait for the tokenizer.
    runtime.shutdown_background();
    ended?;
    terminal::status("ranklet: stopped");
    Ok(())
}

/// Returns the name of a model for clients: the last part of a folder, or the id.
fn name_of(model: &str) -> String {
    let folder = Path::new(model);
    if !folder.is_dir() {
        return model.to_owned();
    }
    // A path such as .. ends in no name.
    let name = folder.file_name().map(ToOwned::to_owned);
    let name = name.or_else(|| Some(folder.canonicalize().ok()?.file_name()?.to_owned()));
    name.map_or_else(|| model.to_owned(), |name| name.to_string_lossy().into_owned())
}

/// Resolves when the process is told to stop.
async fn signal() {
    let interrupt = async {
        let _ = tokio::signal::ctrl_c().await;
    };
    #[cfg(unix)]
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<()>();
    tokio::select! {
        () = interrupt => {}
        () = terminate => {}
    }
}
