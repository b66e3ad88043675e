//! Every family in stages: the scores have the same bits as those of one engine, and each stage reads its own tensors.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;

use super::*;
use crate::checkpoint::ModelFiles;
use crate::error::ErrorKind;
use crate::{DocumentOptions, LongDocuments, ModelSource, OffsetUnit, Pairs, Scores};

const WEIGHTS: &str = "model.safetensors";

/// A model in memory.
struct Model {
    small_files: ModelFiles,
    /// The name of its weights file.
    name: &'static str,
    weights: Vec<u8>,
}

impl Model {
    fn read(folder: &str) -> Self {
        let folder = fixtures().join(folder);
        let weights = std::fs::read(folder.join(WEIGHTS)).unwrap();
        Self { small_files: small_files(&folder), name: WEIGHTS, weights }
    }

    fn checkpoint(&self) -> Checkpoint {
        Checkpoint::read(self.small_files.clone()).unwrap()
    }

    /// Loads the model into one engine.
    fn load_whole(&self, dtype: Dtype) -> Reranker {
        let mut files = self.small_files.clone();
        files.insert(self.name, self.weights.clone());
        Reranker::load_blocking(ModelSource::Files(files), options(dtype)).unwrap()
    }

    fn load(&self, stages: usize, dtype: Dtype) -> Result<Stages> {
        self.load_in_pieces(stages, dtype, 1 << 20)
    }

    fn load_in_pieces(&self, stages: usize, dtype: Dtype, piece: usize) -> Result<Stages> {
        let (name, file) = (self.name, &self.weights);
        let mut loader = Loader::new(self.checkpoint(), None, file.len() as u64, options(dtype))?;
        let split = loader.split(stages)?.options;
        loader.keep_first_stage(&split)?;
        loader.expect_file(name)?;
        let mut bytes = vec![read(loader.weights(), name, file, piece)?];
        let first = pollster::block_on(loader.finish())?;
        let mut others = Vec::new();
        for stage in 1..=split.split_points.len() {
            let mut loader = StageLoader::new(self.checkpoint(), None, options(dtype), stage, &split)?;
            loader.expect_file(name);
            bytes.push(read(loader.weights(), name, file, piece)?);
            others.push(loader.finish()?);
        }
        Ok(Stages { first, others, bytes })
    }
}

fn options(dtype: Dtype) -> Options {
    Options { dtype, ..Options::default() }
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// The names of all encoders with one weights file.
fn checkpoints() -> Vec<String> {
    let mut found = Vec::new();
    for parent in ["", "families/"] {
        for entry in std::fs::read_dir(fixtures().join(parent)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let folder = format!("{parent}{name}");
            if fixtures().join(&folder).join(WEIGHTS).exists() && !name.starts_with("qwen") {
                found.push(folder);
            }
        }
    }
    found.sort();
    found
}

/// Returns the files of a folder and of the folders in it, without its weights.
fn small_files(folder: &Path) -> ModelFiles {
    let mut files = ModelFiles::default();
    let mut folders = vec![folder.to_owned()];
    while let Some(current) = folders.pop() {
        for entry in std::fs::read_dir(current).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(folder).unwrap().to_string_lossy().replace('\\', "/");
            if path.is_dir() {
                folders.push(path);
            } else if name != WEIGHTS && name != "expected.json" {
                files.insert(name, std::fs::read(path).unwrap());
            }
        }
    }
    files
}

/// Pushes the wanted ranges of a file. Returns the number of bytes.
fn read(reader: &mut WeightsReader, name: &str, file: &[u8], piece: usize) -> Result<usize> {
    let mut bytes = 0;
    reader.open(name, file.len() as u64)?;
    while let Some(wanted) = reader.wanted() {
        let end = wanted.end.min(wanted.start + piece as u64);
        reader.push(&file[wanted.start as usize..end as usize])?;
        bytes += (end - wanted.start) as usize;
    }
    Ok(bytes)
}

struct Stages {
    first: Reranker,
    others: Vec<PipelineStage>,
    /// Bytes that each stage has read.
    bytes: Vec<usize>,
}

impl Stages {
    /// Runs the stages after the first.
    fn logits(&self, mut batch: StageBatch) -> Result<Vec<f32>> {
        for stage in &self.others {
            let (hidden_states, cu_seqlens) = (batch.hidden_states, batch.cu_seqlens.clone());
            batch.hidden_states = stage.run(StageBatch { hidden_states, cu_seqlens })?;
            if batch.hidden_states.is_empty() {
                break;
            }
        }
        Ok(batch.hidden_states)
    }

    /// Scores a run with up to three batches under way.
    fn score(&self, mut run: ScoringRun) -> Result<PartialScores> {
        let mut scores = PartialScores::default();
        let mut under_way = std::collections::VecDeque::new();
        loop {
            let batch = run.begin_batch(&self.first)?;
            let is_end = batch.is_none();
            under_way.extend(batch);
            while under_way.len() > if is_end { 0 } else { 2 } {
                let logits = self.logits(under_way.pop_front().unwrap())?;
                scores.append(run.finish_batch(&self.first, logits)?);
            }
            if is_end {
                return Ok(scores);
            }
        }
    }
}

fn score_whole(reranker: &Reranker, mut run: ScoringRun) -> PartialScores {
    let mut scores = PartialScores::default();
    while let Some(more) = pollster::block_on(run.step(reranker)).unwrap() {
        scores.append(more);
    }
    scores
}

/// Documents of very different lengths; with a small limit of tokens they are several batches.
fn run<'a>(documents: &'a [String], long_documents: LongDocuments) -> ScoringRun<'a> {
    let options = DocumentOptions { max_tokens_per_document: None, long_documents, unit: OffsetUnit::Byte };
    let documents = documents.iter().map(|document| document.as_str().into()).collect();
    let pairs = Pairs::OneQuery { query: "how do plants make food".into(), documents, options };
    let mut run = ScoringRun::new(pairs, Scores::Model);
    run.set_max_batch_tokens(60);
    run
}

fn documents() -> Vec<String> {
    (0..9)
        .map(|index| "leaves catch light and turn water into sugar. ".repeat(1 + index * index % 7))
        .collect()
}

#[test]
fn every_family_in_parts_has_the_scores_of_one_engine() {
    let documents = documents();
    let mut tried = BTreeMap::new();
    for folder in checkpoints() {
        let model = Model::read(&folder);
        for dtype in [Dtype::F32, Dtype::Q8] {
            let reranker = model.load_whole(dtype);
            let long =
                if reranker.info().num_labels == 1 { LongDocuments::Chunk } else { LongDocuments::Truncate };
            let expected =
                [LongDocuments::Truncate, long].map(|long| score_whole(&reranker, run(&documents, long)));
            for stages in [2, 3, 8] {
                let stages = model.load(stages, dtype).unwrap();
                if stages.others.is_empty() {
                    continue;
                }
                let got =
                    [LongDocuments::Truncate, long].map(|long| stages.score(run(&documents, long)).unwrap());
                assert_eq!(got, expected, "{folder:?}, {dtype:?}, {} stages", stages.bytes.len());
                let info = stages.first.info();
                assert_eq!(
                    (info.parameters, &info.warnings),
                    (reranker.info().parameters, &reranker.info().warnings)
                );
                *tried.entry(stages.bytes.len()).or_insert(0) += 1;
            }
        }
    }
    println!("{tried:?}");
    assert!(tried[&2] > 100 && tried[&3] > 100, "models by their number of stages: {tried:?}");
}

#[test]
fn each_byte_of_the_weights_is_read_by_the_part_that_needs_it() {
    let model = Model::read("bert-gelu-h36");
    let header = 8 + u64::from_le_bytes(*model.weights.first_chunk().unwrap()) as usize;
    for piece in [1, 7, 64, 1000, 1 << 20] {
        let stages = model.load_in_pieces(2, Dtype::F32, piece).unwrap();
        // Every tensor is needed by one stage, and the header by both. A piece with the end of the header goes beyond it.
        let beyond = stages.bytes.iter().sum::<usize>() - model.weights.len() - header;
        assert!(beyond < piece, "{:?} in pieces of {piece}", stages.bytes);
        let scores = stages.score(run(&documents(), LongDocuments::Truncate)).unwrap();
        let expected = score_whole(&model.load_whole(Dtype::F32), run(&documents(), LongDocuments::Truncate));
        assert_eq!(scores, expected, "in pieces of {piece}");
    }
}

#[test]
fn a_stage_refuses_a_file_that_is_cut_off_and_a_number_that_is_not_finite_in_its_own_tensors_only() {
    let mut model = Model::read("bert-gelu-h36");
    let mut file = std::mem::take(&mut model.weights);
    let loader = Loader::new(model.checkpoint(), None, file.len() as u64, options(Dtype::F32)).unwrap();
    let split = loader.split(2).unwrap().options;
    let last = |file: &[u8], length: usize| {
        let mut loader = StageLoader::new(model.checkpoint(), None, options(Dtype::F32), 1, &split).unwrap();
        loader.weights().open(WEIGHTS, length as u64).unwrap();
        while let Some(wanted) = loader.weights().wanted() {
            loader.weights().push(&file[wanted.start as usize..wanted.end as usize])?;
        }
        loader.finish()
    };
    assert!(last(&file, file.len()).is_ok());
    assert_eq!(last(&file, file.len() - 4).unwrap_err().kind(), ErrorKind::Weights);
    // The word embeddings are the first tensor of the file, by name.
    let words = 8 + u64::from_le_bytes(*file.first_chunk().unwrap()) as usize;
    let end = file.len();
    for (at, in_last) in [(words, false), (end - 4, true)] {
        let bytes = std::mem::replace(file[at..].first_chunk_mut().unwrap(), f32::NAN.to_le_bytes());
        assert_eq!(last(&file, end).is_err(), in_last, "a NaN at byte {at} of {end}");
        *file[at..].first_chunk_mut().unwrap() = bytes;
    }
}

#[test]
fn a_batch_that_is_not_finite_is_an_error_about_its_pairs() {
    let stages = Model::read("bert-gelu-h36").load(2, Dtype::F32).unwrap();
    let documents = documents();
    let mut run = run(&documents, LongDocuments::Truncate);
    let first = run.begin_batch(&stages.first).unwrap().unwrap();
    let second = run.begin_batch(&stages.first).unwrap().unwrap();
    let done = run.finish_batch(&stages.first, stages.logits(first).unwrap()).unwrap().scores.len();
    let poisoned = StageBatch { hidden_states: vec![f32::NAN; second.hidden_states.len()], ..second };
    let pairs = poisoned.cu_seqlens.len() - 1;
    let error = run.finish_batch(&stages.first, stages.logits(poisoned).unwrap()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert_eq!(error.item().unwrap().range, done..done + pairs);
    let nothing = run.finish_batch(&stages.first, vec![0.0]).unwrap_err();
    assert_eq!(nothing.kind(), ErrorKind::Input);
}

#[test]
fn only_split_points_of_the_model_make_stages() {
    let model = Model::read("bert-gelu-h36");
    let stage = |stage, split_points: &[usize]| {
        let options = PipelineOptions { unpooled_rows: 0, split_points: split_points.to_vec() };
        StageLoader::new(model.checkpoint(), None, Options::default(), stage, &options)
    };
    assert!(stage(1, &[3]).is_ok());
    for (index, split_points) in [(1, vec![]), (2, vec![3]), (1, vec![2]), (1, vec![99]), (1, vec![4, 3])] {
        assert_eq!(
            stage(index, &split_points).unwrap_err().kind(),
            ErrorKind::Input,
            "stage {index} between {split_points:?}"
        );
    }
}

#[test]
fn parts_of_torch_and_onnx_files_have_the_scores_of_one_engine() {
    let fixtures = fixtures();
    let torch = |case: &str, folder: &str| Model {
        name: "pytorch_model.bin",
        weights: std::fs::read(fixtures.join(format!("weights/{case}/pytorch_model.bin"))).unwrap(),
        ..Model::read(folder)
    };
    let onnx = |family: &str, tokenizer: &str| {
        let file = std::fs::File::open(fixtures.join(format!("onnx/{family}/torchscript.onnx.gz"))).unwrap();
        let mut model = Model { name: "model.onnx", weights: Vec::new(), ..Model::read(tokenizer) };
        GzDecoder::new(file).read_to_end(&mut model.weights).unwrap();
        let config = std::fs::read(fixtures.join(format!("onnx/{family}/config.json"))).unwrap();
        model.small_files.insert("config.json", config);
        model
    };
    let models = [
        torch("bin-f16", "bert-f16-h52"),
        torch("bin-views", "bert-bf16-h60"),
        onnx("bert", "bert-gelu-h36"),
    ];
    for model in models {
        for dtype in [Dtype::Auto, Dtype::Q8] {
            let expected = score_whole(&model.load_whole(dtype), run(&documents(), LongDocuments::Truncate));
            let stages = model.load(2, dtype).unwrap();
            assert_eq!(stages.others.len(), 1, "{}", model.name);
            let got = stages.score(run(&documents(), LongDocuments::Truncate)).unwrap();
            assert_eq!(got, expected, "{}, {dtype:?}", model.name);
        }
    }
}

#[test]
fn golden_pairs_verify_all_parts_together() {
    let stages = Model::read("../../models/default").load(3, Dtype::Auto).unwrap();
    let mut pairs = 0;
    while let Some(batch) = stages.first.golden_batch(pairs).unwrap() {
        let mut logits = stages.logits(batch).unwrap();
        stages.first.check_golden(pairs, &logits).unwrap();
        logits[0] += 2.0;
        assert_eq!(stages.first.check_golden(pairs, &logits).unwrap_err().kind(), ErrorKind::Integrity);
        pairs += 1;
    }
    assert!(pairs > 0);
}
