//! Runs each command, from arguments to output.

use std::path::Path;

use ranklet::eval::Measure;
use ranklet::hub::{self, HubOptions};
use ranklet::{Dtype, Error, ErrorKind, ModelFiles, Pairs, Reranker, Result, ScoringRun};

use crate::args::{Command, ModelArguments, ScoreArguments};
use crate::eval::{EvalFiles, EvalSet, System};
use crate::scoring::score_with_progress;
#[cfg(feature = "serve")]
use crate::serve;
use crate::{bench, calibrate, eval, explain, input, output, rank, terminal};

pub(crate) fn run(command: Command) -> Result<()> {
    match command {
        Command::Rank { model, ranking } => rank::rank(model, &ranking),
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
        Command::Calibrate { model, calibration } => calibrate::calibrate(model, &calibration),
        Command::Explain { model, explain } => explain::explain(|| model.load(), &explain),
        #[cfg(feature = "serve")]
        Command::Serve { model, server } => {
            let name = model.name().to_owned();
            serve::serve(model.load_with_score_cache(server.score_cache)?, &name, server)
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
    let set = EvalSet::read(&files.inputs())?;
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
    if ModelFiles::embedded_as(model).is_some() {
        return Err(Error::new(ErrorKind::Input, format!("{model} is quantized already")));
    }
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
