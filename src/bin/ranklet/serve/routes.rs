//! The routes and their handlers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderValue, Method, Request, Response, StatusCode, header};
use axum::response::IntoResponse;
use axum::{Json, Router};
use ranklet::{
    Deadline, DocumentOptions, HighlightPlan, LongDocuments, OffsetUnit, RankOptions, Ranked, Reranker,
};
use serde_json::json;
use tower_http::cors::{AllowHeaders, Any, CorsLayer};

use super::access::Keys;
use super::answer::{models_body, rerank_body, score_body};
use super::blocking::Blocking;
use super::body;
use super::dialect::Dialect;
use super::http_error::HttpError;
use super::metrics::Metrics;
use super::requests::{Limits, RerankRequest, ScoreRequest, without_inputs};
use super::scheduler::{Admission, QueueFull, Scheduler, Scored, Work};

/// The settings of a server.
#[derive(Debug)]
pub(super) struct Settings {
    /// The model's name in answers.
    pub(super) model: String,
    /// Origins that web pages may call from; `*` for all.
    pub(super) cors: Vec<String>,
    pub(super) max_documents: usize,
    /// Maximum tokens of a document; `None` for as many as fit into the pair.
    pub(super) max_tokens_per_document: Option<usize>,
    pub(super) long_documents: LongDocuments,
    /// The instruction of requests without one; `None` for the default of the model's files.
    pub(super) instruction: Option<Arc<str>>,
    pub(super) max_body_bytes: usize,
    /// Maximum time for a client to send its body.
    pub(super) body_timeout: Duration,
}

/// The state that all requests share.
#[derive(Debug)]
pub(super) struct Server {
    settings: Settings,
    keys: Keys,
    scheduler: Scheduler,
    reranker: Arc<Reranker>,
    blocking: Blocking,
    metrics: Metrics,
}

impl Server {
    pub(super) fn new(
        settings: Settings,
        keys: Keys,
        scheduler: Scheduler,
        reranker: Arc<Reranker>,
    ) -> Arc<Self> {
        let (blocking, metrics) = (Blocking::new(), Metrics::default());
        Arc::new(Self { settings, keys, scheduler, reranker, blocking, metrics })
    }
}

/// A route: its path and the kind of its handler.
#[derive(Debug, Clone, Copy)]
enum Route {
    Rerank,
    Score,
    Health,
    Models,
    Metrics,
}

const ROUTES: [(&str, Route); 9] = [
    ("/rerank", Route::Rerank),
    ("/v1/rerank", Route::Rerank),
    ("/v2/rerank", Route::Rerank),
    ("/score", Route::Score),
    ("/v1/score", Route::Score),
    ("/health", Route::Health),
    ("/models", Route::Models),
    ("/v1/models", Route::Models),
    ("/metrics", Route::Metrics),
];

impl Route {
    fn method(self) -> Method {
        match self {
            Self::Rerank | Self::Score => Method::POST,
            Self::Health | Self::Models | Self::Metrics => Method::GET,
        }
    }
}

/// Creates the router.
pub(super) fn router(server: Arc<Server>) -> Router {
    let cors = cors(&server.settings.cors);
    Router::new().fallback(answer).layer(cors).with_state(server)
}

/// Answers a request. Discards what its handler has left of the body, except for a request with `Expect`, whose client reads
/// what the server says before it sends the body.
async fn answer(State(server): State<Arc<Server>>, request: Request<Body>) -> Response<Body> {
    let started = Instant::now();
    let (head, mut body) = request.into_parts();
    let is_sending = !head.headers.contains_key(header::EXPECT);
    let response = route(&server, Request::from_parts(head, &mut body)).await;
    if is_sending {
        body::discard(body, server.settings.body_timeout.saturating_sub(started.elapsed()));
    }
    response
}

/// Answers a request by its path. Slashes at the end of the path are part of no route.
async fn route(server: &Server, request: Request<&mut Body>) -> Response<Body> {
    let path = request.uri().path().trim_end_matches('/');
    let Some((path, route)) = ROUTES.into_iter().find(|(known, _)| *known == path) else {
        return unknown_path(request.uri().path());
    };
    let (sent, method) = (request.method(), route.method());
    if *sent != method && !(*sent == Method::HEAD && method == Method::GET) {
        return wrong_method(path, &method);
    }
    server.answer(path, route, request).await
}

/// Lets pages of these origins read answers. A page may send any header, because clients send some of their own.
fn cors(origins: &[String]) -> CorsLayer {
    let layer = CorsLayer::new()
        .allow_methods([Method::GET, Method::POST])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([header::RETRY_AFTER])
        .max_age(Duration::from_secs(24 * 60 * 60));
    if origins.iter().any(|origin| origin == "*") {
        return layer.allow_origin(Any);
    }
    let origins: Vec<HeaderValue> =
        origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()).collect();
    layer.allow_origin(origins)
}

fn unknown_path(path: &str) -> Response<Body> {
    let paths: Vec<&str> = ROUTES.iter().map(|(path, _)| *path).collect();
    let message = format!("there is nothing at {path}; known paths are {}", paths.join(", "));
    failure(Dialect::Documents, &HttpError::new(StatusCode::NOT_FOUND, message))
}

fn wrong_method(path: &str, method: &Method) -> Response<Body> {
    let message = format!("{path} answers {method} only");
    let error =
        HttpError::new(StatusCode::METHOD_NOT_ALLOWED, message).with_header(header::ALLOW, method.as_str());
    failure(Dialect::Documents, &error)
}

fn failure(dialect: Dialect, error: &HttpError) -> Response<Body> {
    let mut response = (error.status, Json(dialect.error_body(error))).into_response();
    if let Some((name, value)) = &error.header
        && let Ok(value) = HeaderValue::from_str(value)
    {
        response.headers_mut().insert(name, value);
    }
    response
}

impl Server {
    async fn answer(&self, path: &'static str, route: Route, request: Request<&mut Body>) -> Response<Body> {
        let mut dialect = Dialect::Documents;
        let response = match self.respond(path, route, request, &mut dialect).await {
            Ok(response) => response,
            Err(error) => failure(dialect, &error),
        };
        self.metrics.count_request(path, response.status().as_u16());
        response
    }

    async fn respond(
        &self,
        path: &'static str,
        route: Route,
        request: Request<&mut Body>,
        dialect: &mut Dialect,
    ) -> Result<Response<Body>, HttpError> {
        let model = self.settings.model.as_str();
        if let Route::Health = route {
            return Ok(Json(json!({ "status": "ok", "model": model })).into_response());
        }
        self.keys.check(request.headers())?;
        match route {
            Route::Metrics => {
                let text = self.metrics.text(self.scheduler.pending(), self.reranker.score_cache_usage());
                Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
                    .into_response())
            }
            Route::Score => self.score_pairs(request, *dialect).await,
            Route::Rerank => self.rerank(path, request, dialect).await,
            Route::Health | Route::Models => Ok(Json(models_body(path, model)).into_response()),
        }
    }

    async fn score_pairs(
        &self,
        request: Request<&mut Body>,
        dialect: Dialect,
    ) -> Result<Response<Body>, HttpError> {
        let started = Instant::now();
        let (bytes, limits) = (self.receive(request).await?, self.limits());
        let read = move || ScoreRequest::read(body::json_object(&bytes)?, limits);
        let request = self.blocking.run(read).await??;
        let options = self.document_options(request.max_tokens_per_document);
        let (instruction, kind) = (self.instruction(request.instruction), request.scores);
        let work = Work { pairs: request.pairs, options, instruction, kind, deadline: None };
        let scored = self.score(&self.admit()?, work, dialect, Some(request.documents_field)).await?;
        self.metrics.count_scored(&scored, started.elapsed());
        Ok(Json(score_body(&scored.scores, scored.tokens, &self.settings.model)).into_response())
    }

    async fn rerank(
        &self,
        path: &'static str,
        request: Request<&mut Body>,
        dialect: &mut Dialect,
    ) -> Result<Response<Body>, HttpError> {
        let started = Instant::now();
        let (bytes, limits) = (self.receive(request).await?, self.limits());
        let read = move || {
            let body = without_inputs(body::json_object(&bytes)?);
            let dialect = Dialect::of(path, &body);
            Ok::<_, HttpError>((dialect, RerankRequest::read(body, dialect, limits)))
        };
        let (known, request) = self.blocking.run(read).await??;
        *dialect = known;
        let mut request = request?;
        let options = self.document_options(request.max_tokens_per_document);
        let instruction = self.instruction(request.instruction.take());
        let query: Arc<str> = request.query.as_str().into();
        let texts = std::mem::take(&mut request.texts);
        let mut sentences_of = request.highlights.map(|count| (count, texts.clone()));
        let pairs = texts.into_iter().map(|text| (Arc::clone(&query), text)).collect();
        let deadline = request.deadline.map(|limit| Deadline::after(limit).begun(started.elapsed()));
        let kind = request.scores;
        let work = Work { pairs, options, instruction: instruction.clone(), kind, deadline };
        let admission = self.admit()?;
        let mut scored = self.score(&admission, work, *dialect, Some(request.documents_field)).await?;
        let mut scores: Vec<Option<f32>> = scored.scores.iter().copied().map(Some).collect();
        scores.resize(request.documents.len(), None);
        let ranking =
            request.selection().rank(&scores).map_err(|error| HttpError::of(&error, *dialect, None))?;
        let mut highlights = Vec::new();
        if let Some((count, texts)) = &mut sentences_of {
            let text = |ranked: &Ranked| (std::mem::take(&mut texts[ranked.index]), scores[ranked.index]);
            let documents = ranking.iter().map(text).collect();
            let texts = (Arc::clone(&query), documents);
            let mut plan = self.plan_highlights(texts, options, instruction.clone(), *dialect).await?;
            let sentences = plan.take_texts();
            self.check_sentences(sentences.len())?;
            let pairs = sentences.into_iter().map(|text| (Arc::clone(&query), text)).collect();
            let work = Work { pairs, options, instruction, kind, deadline };
            let scored_sentences = self.score(&admission, work, *dialect, None).await?;
            let best = plan.best(scored_sentences.scores.iter().copied().map(Some), *count);
            highlights = best.into_iter().map(|best| best.is_complete.then_some(best.highlights)).collect();
            scored.tokens += scored_sentences.tokens;
            scored.cache_hits += scored_sentences.cache_hits;
        }
        self.metrics.count_scored(&scored, started.elapsed());
        let body = rerank_body(*dialect, &request, (&ranking, &highlights), &scored, &self.settings.model);
        Ok(Json(body).into_response())
    }

    async fn receive(&self, request: Request<&mut Body>) -> Result<Bytes, HttpError> {
        body::receive(request, self.settings.max_body_bytes, self.settings.body_timeout).await
    }

    /// The limits of a request. The texts of documents have no more bytes than a body may have, as documents of one text have.
    fn limits(&self) -> Limits {
        let Settings { max_documents, max_body_bytes, .. } = self.settings;
        Limits { documents: max_documents, text_bytes: max_body_bytes }
    }

    /// Checks the number of sentences that are scored for highlights: each takes the time of a document.
    ///
    /// # Errors
    /// 413 for more sentences than a request may have documents.
    fn check_sentences(&self, sentences: usize) -> Result<(), HttpError> {
        let max = self.settings.max_documents;
        if sentences <= max {
            return Ok(());
        }
        let message = format!(
            "highlights: the results have {sentences} sentences, and the server scores {max} per request; ask for fewer \
             results with top_n, or send fewer documents"
        );
        Err(HttpError::new(StatusCode::PAYLOAD_TOO_LARGE, message))
    }

    /// How documents are tokenized, with the smaller of the server's maximum and that of a request.
    fn document_options(&self, max_tokens: Option<usize>) -> DocumentOptions {
        let Settings { max_tokens_per_document, long_documents, .. } = self.settings;
        let max_tokens_per_document = [max_tokens, max_tokens_per_document].into_iter().flatten().min();
        RankOptions { max_tokens_per_document, long_documents, ..RankOptions::default() }.into()
    }

    /// The instruction of a request, or else that of the server.
    fn instruction(&self, of_request: Option<Arc<str>>) -> Option<Arc<str>> {
        of_request.or_else(|| self.settings.instruction.clone())
    }

    /// Finds the sentences of results for a query, given as texts and scores, with offsets in UTF-16 code units.
    async fn plan_highlights(
        &self,
        (query, documents): (Arc<str>, Vec<(String, Option<f32>)>),
        options: DocumentOptions,
        instruction: Option<Arc<str>>,
        dialect: Dialect,
    ) -> Result<HighlightPlan, HttpError> {
        let reranker = Arc::clone(&self.reranker);
        let options = DocumentOptions { unit: OffsetUnit::Utf16, ..options };
        // This tokenizes the documents.
        let plan = move || reranker.plan_highlights(&query, &documents, options, instruction.as_deref());
        self.blocking.run(plan).await?.map_err(|error| HttpError::of(&error, dialect, None))
    }

    /// Admits a request until its answer.
    ///
    /// # Errors
    /// 429 if too many requests are under way.
    fn admit(&self) -> Result<Admission, HttpError> {
        self.scheduler.admit().map_err(|QueueFull| {
            HttpError::retry(StatusCode::TOO_MANY_REQUESTS, "too many requests are waiting", 1)
        })
    }

    /// Scores pairs of a request when it is their turn. If the client goes away, this is dropped and ends the work. `field` is
    /// the name of the field that has the documents of the pairs.
    async fn score(
        &self,
        admission: &Admission,
        work: Work,
        dialect: Dialect,
        field: Option<&str>,
    ) -> Result<Scored, HttpError> {
        let failed = |error| HttpError::of(&error, dialect, field);
        self.reranker.check_scores(work.kind).map_err(failed)?;
        self.reranker.check_instruction(work.instruction.as_deref()).map_err(failed)?;
        let deadline = work.deadline;
        let mut receiver = admission.submit(work);
        let stopped = |_| HttpError::internal();
        if let Some(deadline) = deadline {
            match tokio::time::timeout(deadline.remaining(), &mut receiver).await {
                Ok(scored) => return scored.map_err(stopped)?.map_err(failed),
                Err(_) => admission.end_late_jobs(),
            }
        }
        receiver.await.map_err(stopped)?.map_err(failed)
    }
}
