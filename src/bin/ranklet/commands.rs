//! Runs each command, from arguments to output.

use std::path::Path;
use std::time::Instant;

use ranklet::eval::Measure;
use ranklet::hub::{self, HubOptions};
use ranklet::{
    Dtype, LongDocuments, ModelFiles, Pairs, RankOptions, Reranker, Result, ScoringRun, best_first,
};

use crate::args::{Command, ModelArguments, ScoreArguments};
use crate::eval::{EvalFiles, EvalSet, System};
use crate::input::Document;
use crate::report::Ranking;
use crate::scoring::score_with_progress;
#[cfg(feature = "serve")]
use crate::serve;
use crate::{bench, eval, input, output, terminal};

pub(crate) fn run(command: Command) -> Result<()> {
    match command {
        Command::Rank { model, query, documents, format, top_n, long_documents, numbers } => {
            let documents = input::documents(&documents, format)?;
            if long_documents == LongDocuments::Chunk {
                model.clone().check_chunks()?;
            }
            let options = RankOptions {
                top_n,
                scores: numbers.scores,
                long_documents,
                instruction: numbers.instruction.as_deref(),
                ..RankOptions::default()
            };
            rank(&model.load()?, &query, &documents, options, numbers.json)
        }
        Command::Score { model, pairs, numbers } => {
            let pairs = input::pairs(&pairs)?;
            score(&model.load()?, pairs, &numbers)
        }
        Command::Info { model, json } => output::summary(&model.describe()?, json),
        Command::Verify { model, json } => {
            let reranker = model.load_on_gpu()?;
            reranker
                .info()
                .backend
                .verification
                .as_ref()
                .map_or(Ok(()), |report| output::verification(report, json))
        }
        Command::Quantize { model, revision, weights, dtype, out } => {
            quantize(&model, revision.as_deref(), weights.as_deref(), dtype, &out)
        }
        Command::Eval { model, files, measures, compare, compare_revision, instruction, json } => {
            let compare = compare.map(|compare| (compare, compare_revision));
            evaluate(model, &files, &measures, (compare, instruction), json)
        }
        #[cfg(feature = "serve")]
        Command::Serve { model, server } => {
            let name = model.name().to_owned();
            serve::serve(model.load()?, &name, server)
        }
        Command::Bench { model, instruction, serve: true, .. } => bench::serve(model, instruction.as_deref()),
        Command::Bench { model, documents, json, kernels: true, .. } => {
            output::kernels(&bench::kernels(model, documents)?, json)
        }
        Command::Bench { model, documents, instruction, repetitions, json, .. } => {
            let measured = bench::measure(model, documents, repetitions, instruction.as_deref())?;
            output::measurement(&measured, json)
        }
    }
}

fn rank(
    reranker: &Reranker,
    query: &str,
    documents: &[Document],
    options: RankOptions<'_>,
    json: bool,
) -> Result<()> {
    reranker.check_rankable()?;
    let started = Instant::now();
    let pairs = Pairs::OneQuery {
        query: query.into(),
        documents: documents.iter().map(|document| document.text.as_str().into()).collect(),
        options: options.into(),
    };
    let mut scoring = ScoringRun::new(pairs, options.scores).instruction(options.instruction);
    let scored = score_with_progress(reranker, &mut scoring)?;
    let ranking = Ranking {
        results: best_first(&scored, options.top_n),
        documents,
        tokens: scoring.tokens(),
        seconds: started.elapsed().as_secs_f64(),
        backend: &reranker.info().backend,
    };
    output::ranking(&ranking, json)?;
    terminal::warnings(&reranker.info().warnings);
    Ok(())
}

fn score(reranker: &Reranker, pairs: Vec<(String, String)>, numbers: &ScoreArguments) -> Result<()> {
    let pairs = pairs.into_iter().map(|(query, document)| (query.into(), document.into())).collect();
    let mut scoring =
        ScoringRun::new(Pairs::truncated(pairs), numbers.scores).instruction(numbers.instruction.as_deref());
    let scored = score_with_progress(reranker, &mut scoring)?;
    output::scores(&scored.scores, reranker.info().num_labels, numbers.json)?;
    terminal::warnings(&reranker.info().warnings);
    Ok(())
}

fn evaluate(
    model: ModelArguments,
    files: &EvalFiles,
    measures: &[Measure],
    (compare, instruction): (Option<(String, Option<String>)>, Option<String>),
    json: bool,
) -> Result<()> {
    // Files first: an error in them should not wait for a model.
    let set = EvalSet::read(files)?;
    let compared = compare.map(|(compare, revision)| model.load_other(compare, revision)).transpose()?;
    let reranker = model.load()?;
    let mut models = vec![(System::Reranked, &reranker)];
    models.extend(compared.as_ref().map(|compared| (System::Compared, compared)));
    eval::output(&eval::evaluate(&set, &models, instruction.as_deref(), measures)?, files, json)?;
    models.iter().for_each(|(_, model)| terminal::warnings(&model.info().warnings));
    Ok(())
}

fn quantize(
    model: &str,
    revision: Option<&str>,
    weights: Option<&str>,
    dtype: Dtype,
    out: &Path,
) -> Result<()> {
    let folder = hub::folder(model, HubOptions { revision, weights, ..HubOptions::default() })?;
    let files = ModelFiles::from_directory_with(&folder, weights)?;
    let source = Path::new(model).file_name().map_or_else(|| "a model".into(), |name| name.to_string_lossy());
    let before = files.weights_bytes();
    let quantized = pollster::block_on(ranklet::quantize(files, &source, dtype))?;
    let after = quantized.weights_bytes();
    output::files(&quantized, &folder, out)?;
    terminal::status(&format!(
        "ranklet: wrote {}: {:.1} MB of weights, {:.1} MB before",
        out.display(),
        megabytes(after),
        megabytes(before)
    ));
    Ok(())
}

fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}
