//! q4 files: small, unpacked to q8 on load, and refused if they are malformed.

use std::collections::BTreeMap;

use crate::common::{Fixture, fixture, load};
use ranklet::eval::kendall_tau;
use ranklet::internals::Weights;
use ranklet::{Dtype, ErrorKind, ModelFiles, ModelSource, Options, Reranker, Scores, quantize};
use safetensors::tensor::{Dtype as Element, TensorView};
use serde_json::{Value, json};

const MATRIX: &str = "bert.encoder.layer.0.output.dense.weight";

fn packed(fixture: &Fixture) -> ModelFiles {
    pollster::block_on(quantize(fixture.files(), &fixture.name, Dtype::Q4)).unwrap()
}

fn load_as(files: ModelFiles, dtype: Dtype) -> ranklet::Result<Reranker> {
    Reranker::load_blocking(ModelSource::Files(files), Options { dtype, ..Options::default() })
}

/// A safetensors file in its parts, to edit and reassemble.
struct Raw {
    header: BTreeMap<String, Value>,
    data: Vec<u8>,
}

impl Raw {
    fn of(files: &ModelFiles) -> Self {
        let bytes = files.get("model.safetensors").unwrap();
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let header = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
        Self { header, data: bytes[8 + length..].to_vec() }
    }

    fn metadata(&self) -> Value {
        serde_json::from_str(self.header["__metadata__"]["ranklet"].as_str().unwrap()).unwrap()
    }

    fn set_metadata(&mut self, metadata: &Value) {
        self.header.insert("__metadata__".to_owned(), json!({ "ranklet": metadata.to_string() }));
    }

    fn put_into(&self, files: &ModelFiles) -> ModelFiles {
        let header = serde_json::to_vec(&self.header).unwrap();
        let mut files = files.clone();
        let bytes = [&(header.len() as u64).to_le_bytes()[..], &header, &self.data].concat();
        files.insert("model.safetensors", bytes);
        files
    }
}

/// Computes values from the layout that `q4_format.rs` documents.
#[test]
fn values_follow_the_layout() {
    let files = packed(&fixture("bert-gelu-h36"));
    let bytes = files.get("model.safetensors").unwrap();
    let tensors = safetensors::SafeTensors::deserialize(bytes).unwrap();
    let codes = tensors.tensor(MATRIX).unwrap();
    assert_eq!((codes.dtype(), codes.shape()), (Element::U8, &[36, 27][..]));
    let scales = tensors.tensor(&format!("{MATRIX}.scale")).unwrap();
    assert_eq!((scales.dtype(), scales.shape()), (Element::F16, &[36, 2][..]));
    let table = tensors.tensor("bert.embeddings.word_embeddings.weight").unwrap();
    assert_eq!((table.dtype(), table.shape()), (Element::I8, &[540, 18][..]));
    assert_eq!(tensors.tensor("classifier.weight").unwrap().dtype(), Element::F32);
    assert_eq!(Raw::of(&files).metadata()["columns"][MATRIX], 53);

    let read = Weights::parse(bytes).unwrap();
    let read = read.view(MATRIX).unwrap();
    assert_eq!(read.shape(), [36, 53]);
    let values = read.to_f32();
    let input_scales: Vec<f32> = (tensors.tensor(&format!("{MATRIX}.input_scale")).unwrap().data())
        .as_chunks()
        .0
        .iter()
        .map(|bits| f32::from_le_bytes(*bits))
        .collect();
    for row in 0..36 {
        let scale = |column: usize| {
            let offset = 2 * (row * 2 + column / 32);
            half::f16::from_le_bytes([scales.data()[offset], scales.data()[offset + 1]]).to_f32()
        };
        let exact: Vec<f32> = (0..53)
            .map(|column| {
                let byte = codes.data()[row * 27 + column / 2];
                let code = if column % 2 == 0 { byte & 15 } else { byte >> 4 };
                (f32::from(code) - 8.0) * scale(column)
            })
            .collect();
        let step = exact
            .iter()
            .map(|&value| if value < 0.0 { value / -64.0 } else { value / 63.0 })
            .fold(0.0, f32::max);
        for column in 0..53 {
            let got = values[row * 53 + column] * input_scales[column];
            assert!((got - exact[column]).abs() <= 0.501 * step, "{row}, {column}: {got}, {}", exact[column]);
        }
    }
}

#[test]
fn a_q4_model_runs_as_q8_whatever_dtype_is_asked_for() {
    for name in ["bert-gelu-h36", "bert-f16-h52", "bert-labels3-cjk-h60"] {
        let fixture = fixture(name);
        let files = packed(&fixture);
        let reranker = load(files.clone()).unwrap();
        assert_eq!(reranker.info().backend.dtype, Dtype::Q8);
        assert_eq!(reranker.info().weights.format, "q4");
        let logits =
            |reranker: &Reranker| reranker.score_blocking(&fixture.expected.pairs, Scores::Raw).unwrap();
        let (exact, got) = (logits(&fixture.load()), logits(&reranker));
        let mean = exact.iter().sum::<f32>() / exact.len() as f32;
        let square = |values: &mut dyn Iterator<Item = f32>| values.map(|value| value * value).sum::<f32>();
        let error = square(&mut got.iter().zip(&exact).map(|(got, exact)| got - exact)).sqrt();
        let spread = square(&mut exact.iter().map(|logit| logit - mean)).sqrt();
        println!("{name}: an error of {:.3} of the spread", error / spread);
        // Random weights are the hardest for 4 bits; the error is still below the spread.
        assert!(error > 0.0 && error < spread, "{name}: {error} against a spread of {spread}");

        // For every dtype, the weights are those of the unpacked file.
        assert_eq!(logits(&load_as(files.clone(), Dtype::Q4).unwrap()), got);
        assert_eq!(logits(&load_as(files.clone(), Dtype::Q8).unwrap()), got);
        let floats = load_as(files, Dtype::F32).unwrap();
        assert_eq!(floats.info().backend.dtype, Dtype::F32);
    }
}

#[test]
fn only_a_q4_file_is_loaded_as_q4_and_none_is_quantised_again() {
    let fixture = fixture("bert-gelu-h36");
    let error = load_as(fixture.files(), Dtype::Q4).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.context().contains("ranklet quantize"), "{error}");
    for dtype in [Dtype::Q8, Dtype::Q4] {
        let error = pollster::block_on(quantize(packed(&fixture), "again", dtype)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Input);
    }
    let error = pollster::block_on(quantize(fixture.files(), "source", Dtype::F16)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input);
}

#[test]
fn broken_q4_files_are_refused() {
    let files = packed(&fixture("bert-gelu-h36"));
    assert!(load(Raw::of(&files).put_into(&files)).is_ok());
    let scale = format!("{MATRIX}.scale");
    let refused = |change: &dyn Fn(&mut Raw), kind: ErrorKind, name: &str| {
        let mut raw = Raw::of(&files);
        change(&mut raw);
        let error = load(raw.put_into(&files)).expect_err(name);
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.context().contains(name), "{error} does not name {name}");
    };
    let with_columns = |columns: Value| {
        move |raw: &mut Raw| {
            let mut metadata = raw.metadata();
            metadata["columns"][MATRIX] = columns.clone();
            raw.set_metadata(&metadata);
        }
    };
    for columns in [json!(52), json!(55), json!(0), json!(u64::MAX)] {
        refused(&with_columns(columns), ErrorKind::Weights, MATRIX);
    }
    // One value too many: the sizes fit the blocks, but not the model.
    refused(&with_columns(json!(54)), ErrorKind::Weights, MATRIX);
    refused(&with_columns(json!(-1)), ErrorKind::Weights, "model.safetensors");
    let without_columns = |raw: &mut Raw| {
        let mut metadata = raw.metadata();
        metadata["columns"].as_object_mut().unwrap().remove(MATRIX);
        raw.set_metadata(&metadata);
    };
    refused(&without_columns, ErrorKind::Weights, MATRIX);
    for shape in [json!([72, 1]), json!([1, 72]), json!([72])] {
        let reshape = |raw: &mut Raw| raw.header.get_mut(&scale).unwrap()["shape"] = shape.clone();
        refused(&reshape, ErrorKind::Weights, &scale);
    }
    let of_other_type = |raw: &mut Raw| raw.header.get_mut(&scale).unwrap()["dtype"] = json!("BF16");
    refused(&of_other_type, ErrorKind::Weights, &scale);
    let renamed = |raw: &mut Raw| {
        let scales = raw.header.remove(&scale).unwrap();
        raw.header.insert("other".to_owned(), scales);
    };
    refused(&renamed, ErrorKind::Weights, MATRIX);
    for bits in [0x7c00u16, 0xfc00, 0x7e00] {
        let infinite = |raw: &mut Raw| {
            let offset = raw.header[&scale]["data_offsets"][0].as_u64().unwrap() as usize;
            raw.data[offset..offset + 2].copy_from_slice(&bits.to_le_bytes());
        };
        refused(&infinite, ErrorKind::Weights, "not finite");
    }
    let other_words = |raw: &mut Raw| {
        let mut metadata = raw.metadata();
        metadata["golden"]["pairs"][0]["logits"] = json!([9.0]);
        raw.set_metadata(&metadata);
    };
    refused(&other_words, ErrorKind::Integrity, "golden pair");
}

/// The embedded model with its q8 weights as f32.
fn default_model_in_f32() -> ModelFiles {
    let mut files = ModelFiles::embedded();
    let weights = Weights::parse(files.get("model.safetensors").unwrap()).unwrap();
    let tensors: Vec<_> = (weights.names())
        .map(|name| {
            let tensor = weights.view(name).unwrap();
            let data: Vec<u8> = tensor.to_f32().iter().flat_map(|value| value.to_le_bytes()).collect();
            (name, tensor.shape().to_vec(), data)
        })
        .collect();
    let views = (tensors.iter())
        .map(|(name, shape, data)| (*name, TensorView::new(Element::F32, shape.clone(), data).unwrap()));
    let file = safetensors::serialize(views, None).unwrap();
    files.insert("model.safetensors", file);
    files
}

/// Documents that the calibration text does not contain.
const PASSAGES: [&str; 20] = [
    "A kettle boils sooner on a mountain, for the air presses less on the water there.",
    "The lighthouse keeper wound the clockwork every four hours so that the lamp kept turning.",
    "Sourdough rises because wild yeast in the starter makes gas out of flour.",
    "Cats purr when they are content, and sometimes when they are hurt or afraid.",
    "Octopuses have three hearts and blue blood, and most of their nerve cells lie in their arms.",
    "The night train to the coast leaves at ten and arrives before breakfast.",
    "Snow muffles sound because the air between its flakes swallows the waves.",
    "Glass is made of sand, soda and lime, melted together in a furnace.",
    "Bees tell each other where flowers are by dancing on the comb.",
    "To prune an apple tree, cut out dead wood first, then branches that cross.",
    "The moon pulls at the sea, so that the tide comes in twice a day.",
    "Bicycles stay upright because the front wheel steers into a fall.",
    "Coffee keeps people awake because caffeine takes the offset of a substance that makes them tired.",
    "In winter hedgehogs lower their temperature and sleep under leaves.",
    "A compass needle points north, drawn by the iron that flows inside the earth.",
    "The printing press made books cheap, and with them new ideas travelled.",
    "Volcanic soil is rich in minerals, so farmers return to it after eruptions.",
    "Bread goes stale faster in the refrigerator than on the table.",
    "Old violins are prized for their sound, though blind tests do not always agree.",
    "Penguins huddle in turns, so that each of them is warm for a while.",
];

const QUERIES: [&str; 6] = [
    "why does bread rise",
    "how do animals survive the cold",
    "what causes tides",
    "why is the sound dull after snowfall",
    "how do insects communicate",
    "how is glass produced",
];

#[test]
#[ignore = "long: ./build.sh test --long"]
fn long_the_default_model_in_q4_is_half_the_size_and_ranks_alike() {
    let source = default_model_in_f32();
    let parameters = source.get("model.safetensors").unwrap().len() as f64 / 4.0;
    let files = pollster::block_on(quantize(source, "the default model", Dtype::Q4)).unwrap();
    let bits = files.get("model.safetensors").unwrap().len() as f64 * 8.0 / parameters;
    let (q4, q8) = (load(files).unwrap(), load(ModelFiles::embedded()).unwrap());
    let mut taus = Vec::new();
    for query in QUERIES {
        let pairs = PASSAGES.map(|passage| (query, passage));
        let [a, b] = [&q4, &q8].map(|model| model.score_blocking(&pairs, Scores::Raw).unwrap());
        taus.push(kendall_tau(&a, &b));
        let best = |scores: &[f32]| (0..scores.len()).max_by(|&a, &b| scores[a].total_cmp(&scores[b]));
        assert_eq!(best(&a), best(&b), "{query}");
    }
    let tau = taus.iter().sum::<f64>() / taus.len() as f64;
    println!("{bits:.2} bits per weight, Kendall's tau {tau:.3}: {taus:.2?}");
    assert!(bits < 4.9, "{bits} bits a weight");
    assert!(tau > 0.8, "{tau}");
}
