//! Every family in parts: the scores have the same bits as those of one engine, and each part reads its own tensors.

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

    fn load(&self, parts: usize, dtype: Dtype) -> Result<Parts> {
        self.load_in_pieces(parts, dtype, 1 << 20)
    }

    fn load_in_pieces(&self, parts: usize, dtype: Dtype, piece: usize) -> Result<Parts> {
        let (name, file) = (self.name, &self.weights);
        let mut loader = Loader::new(self.checkpoint(), None, file.len() as u64, options(dtype))?;
        let split = loader.split(parts)?.options;
        loader.keep_first_part(&split)?;
        loader.expect_file(name)?;
        let mut bytes = vec![read(loader.weights(), name, file, piece)?];
        let first = pollster::block_on(loader.finish())?;
        let mut others = Vec::new();
        for part in 1..=split.cuts.len() {
            let mut loader = PartLoader::new(self.checkpoint(), None, options(dtype), part, &split)?;
            loader.expect_file(name);
            bytes.push(read(loader.weights(), name, file, piece)?);
            others.push(loader.finish()?);
        }
        Ok(Parts { first, others, bytes })
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

struct Parts {
    first: Reranker,
    others: Vec<ModelPart>,
    /// Bytes that each part has read.
    bytes: Vec<usize>,
}

impl Parts {
    /// Runs the parts after the first.
    fn logits(&self, mut batch: PartialBatch) -> Result<Vec<f32>> {
        for part in &self.others {
            let (stream, cu_seqlens) = (batch.stream, batch.cu_seqlens.clone());
            batch.stream = part.run(PartialBatch { stream, cu_seqlens })?;
            if batch.stream.is_empty() {
                break;
            }
        }
        Ok(batch.stream)
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
            for parts in [2, 3, 8] {
                let parts = model.load(parts, dtype).unwrap();
                if parts.others.is_empty() {
                    continue;
                }
                let got =
                    [LongDocuments::Truncate, long].map(|long| parts.score(run(&documents, long)).unwrap());
                assert_eq!(got, expected, "{folder:?}, {dtype:?}, {} parts", parts.bytes.len());
                let info = parts.first.info();
                assert_eq!(
                    (info.parameters, &info.warnings),
                    (reranker.info().parameters, &reranker.info().warnings)
                );
                *tried.entry(parts.bytes.len()).or_insert(0) += 1;
            }
        }
    }
    println!("{tried:?}");
    assert!(tried[&2] > 100 && tried[&3] > 100, "models by their number of parts: {tried:?}");
}

#[test]
fn each_byte_of_the_weights_is_read_by_the_part_that_needs_it() {
    let model = Model::read("bert-gelu-h36");
    let header = 8 + u64::from_le_bytes(*model.weights.first_chunk().unwrap()) as usize;
    for piece in [1, 7, 64, 1000, 1 << 20] {
        let parts = model.load_in_pieces(2, Dtype::F32, piece).unwrap();
        // Every tensor is needed by one part, and the header by both. A piece with the end of the header goes beyond it.
        let beyond = parts.bytes.iter().sum::<usize>() - model.weights.len() - header;
        assert!(beyond < piece, "{:?} in pieces of {piece}", parts.bytes);
        let scores = parts.score(run(&documents(), LongDocuments::Truncate)).unwrap();
        let expected = score_whole(&model.load_whole(Dtype::F32), run(&documents(), LongDocuments::Truncate));
        assert_eq!(scores, expected, "in pieces of {piece}");
    }
}

#[test]
fn a_part_refuses_a_file_that_is_cut_and_a_number_that_is_not_finite_in_its_own_tensors_only() {
    let mut model = Model::read("bert-gelu-h36");
    let mut file = std::mem::take(&mut model.weights);
    let loader = Loader::new(model.checkpoint(), None, file.len() as u64, options(Dtype::F32)).unwrap();
    let split = loader.split(2).unwrap().options;
    let last = |file: &[u8], length: usize| {
        let mut loader = PartLoader::new(model.checkpoint(), None, options(Dtype::F32), 1, &split).unwrap();
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
    let parts = Model::read("bert-gelu-h36").load(2, Dtype::F32).unwrap();
    let documents = documents();
    let mut run = run(&documents, LongDocuments::Truncate);
    let first = run.begin_batch(&parts.first).unwrap().unwrap();
    let second = run.begin_batch(&parts.first).unwrap().unwrap();
    let done = run.finish_batch(&parts.first, parts.logits(first).unwrap()).unwrap().scores.len();
    let poisoned = PartialBatch { stream: vec![f32::NAN; second.stream.len()], ..second };
    let pairs = poisoned.cu_seqlens.len() - 1;
    let error = run.finish_batch(&parts.first, parts.logits(poisoned).unwrap()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert_eq!(error.item().unwrap().range, done..done + pairs);
    let nothing = run.finish_batch(&parts.first, vec![0.0]).unwrap_err();
    assert_eq!(nothing.kind(), ErrorKind::Input);
}

#[test]
fn only_cuts_of_the_model_make_parts() {
    let model = Model::read("bert-gelu-h36");
    let part = |part, cuts: &[usize]| {
        let options = PartOptions { unpooled_rows: 0, cuts: cuts.to_vec() };
        PartLoader::new(model.checkpoint(), None, Options::default(), part, &options)
    };
    assert!(part(1, &[3]).is_ok());
    for (index, cuts) in [(1, vec![]), (2, vec![3]), (1, vec![2]), (1, vec![99]), (1, vec![4, 3])] {
        assert_eq!(part(index, &cuts).unwrap_err().kind(), ErrorKind::Input, "part {index} between {cuts:?}");
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
            let parts = model.load(2, dtype).unwrap();
            assert_eq!(parts.others.len(), 1, "{}", model.name);
            let got = parts.score(run(&documents(), LongDocuments::Truncate)).unwrap();
            assert_eq!(got, expected, "{}, {dtype:?}", model.name);
        }
    }
}

#[test]
fn golden_pairs_verify_all_parts_together() {
    let parts = Model::read("../../models/default").load(3, Dtype::Auto).unwrap();
    let mut pairs = 0;
    while let Some(batch) = parts.first.golden_batch(pairs).unwrap() {
        let mut logits = parts.logits(batch).unwrap();
        parts.first.check_golden(pairs, &logits).unwrap();
        logits[0] += 2.0;
        assert_eq!(parts.first.check_golden(pairs, &logits).unwrap_err().kind(), ErrorKind::Integrity);
        pairs += 1;
    }
    assert!(pairs > 0);
}
