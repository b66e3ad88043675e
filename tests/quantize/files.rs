//! q8 files: written from tiny checkpoints, read back, and refused if they are malformed.

use crate::common::{Fixture, fixture, load};
use ranklet::internals::{Format, Weights};
use ranklet::{Device, Dtype, ErrorKind, ModelFiles, ModelSource, Options, Reranker, Scores, quantize};
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;

fn quantized(fixture: &Fixture) -> ModelFiles {
    pollster::block_on(quantize(fixture.files(), &fixture.name, Dtype::Q8)).unwrap()
}

fn logits(reranker: &Reranker, fixture: &Fixture) -> Vec<f32> {
    reranker.score_blocking(&fixture.expected.pairs, Scores::Raw).unwrap()
}

fn root_mean_square(values: impl Iterator<Item = f32>) -> f32 {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), value| (sum + value * value, count + 1));
    (sum / count as f32).sqrt()
}

/// Random weights are the hardest to quantize, because none of them is small. Still, the logits change by a small part
/// of their spread.
#[test]
fn a_quantised_model_scores_almost_as_its_source() {
    for name in ["bert-gelu-h36", "bert-f16-h52", "bert-labels3-cjk-h60"] {
        let fixture = fixture(name);
        let exact = logits(&fixture.load(), &fixture);
        let reranker = load(quantized(&fixture)).unwrap();
        assert_eq!(reranker.info().backend.dtype, Dtype::Q8);
        assert_eq!(reranker.info().weights.format, "q8");
        let got = logits(&reranker, &fixture);
        let mean = exact.iter().sum::<f32>() / exact.len() as f32;
        let error = root_mean_square(got.iter().zip(&exact).map(|(got, exact)| got - exact));
        let spread = root_mean_square(exact.iter().map(|logit| logit - mean));
        assert!(error < 0.15 * spread, "{name}: {error} against a spread of {spread}");
        assert!(error > 0.0, "{name}: nothing was quantized");
    }
}

#[test]
fn the_file_is_smaller_and_has_the_layout_it_documents() {
    let fixture = fixture("bert-gelu-h36");
    let files = quantized(&fixture);
    let (before, after) = (fixture.files(), &files);
    let size = |files: &ModelFiles| files.get("model.safetensors").unwrap().len();
    assert!(size(after) < size(&before) / 2);

    let bytes = files.get("model.safetensors").unwrap();
    let tensors = SafeTensors::deserialize(bytes).unwrap();
    let matrix = tensors.tensor("bert.encoder.layer.0.output.dense.weight").unwrap();
    assert_eq!((matrix.dtype(), matrix.shape()), (safetensors::Dtype::U8, &[36, 53][..]));
    assert!(matrix.data().iter().all(|&code| code <= 127));
    let scale = tensors.tensor("bert.encoder.layer.0.output.dense.weight.scale").unwrap();
    assert_eq!((scale.dtype(), scale.shape()), (safetensors::Dtype::F32, &[36][..]));
    let table = tensors.tensor("bert.embeddings.word_embeddings.weight").unwrap();
    assert_eq!(table.dtype(), safetensors::Dtype::I8);
    assert_eq!(tensors.tensor("classifier.weight").unwrap().dtype(), safetensors::Dtype::F32);

    // Values computed from the layout, compared with those of the reader.
    let numbers = |name: &str| -> Vec<f32> {
        let bytes = tensors.tensor(name).unwrap().data().as_chunks().0;
        bytes.iter().map(|bits| f32::from_le_bytes(*bits)).collect()
    };
    let input_scales = numbers("bert.encoder.layer.0.output.dense.weight.input_scale");
    let weights = Weights::parse(bytes).unwrap();
    let read = weights.view("bert.encoder.layer.0.output.dense.weight").unwrap().to_f32();
    let row_scale = f32::from_le_bytes(scale.data()[4..8].try_into().unwrap());
    for (column, value) in read[53..106].iter().enumerate() {
        assert_eq!(*value, (f32::from(matrix.data()[53 + column]) - 64.0) * row_scale / input_scales[column]);
    }
}

#[test]
fn the_config_lists_the_files_and_keeps_the_calibration() {
    let mut files = fixture("bert-gelu-h36").files();
    let calibration = serde_json::json!({ "scale": 0.5, "offset": -1.0 });
    files.set_ranklet_field("calibration", calibration.clone().into()).unwrap();
    // Those of an earlier form of the weights.
    files.set_ranklet_field("files", serde_json::json!(["pytorch_model.bin"]).into()).unwrap();
    let quantized = pollster::block_on(quantize(files, "a model", Dtype::Q8)).unwrap();
    let config: serde_json::Value = serde_json::from_slice(quantized.get("config.json").unwrap()).unwrap();
    let names: Vec<&str> = quantized.iter().map(|(name, _)| name).collect();
    assert!(names.contains(&"config.json") && names.contains(&"model.safetensors"));
    assert_eq!(config["ranklet"], serde_json::json!({ "calibration": calibration, "files": names }));
    assert_eq!(load(quantized).unwrap().info().calibration.unwrap().scale, 0.5);
}

#[test]
fn the_metadata_holds_the_source_and_two_golden_pairs() {
    let fixture = fixture("bert-gelu-h36");
    let files = quantized(&fixture);
    let weights = Weights::parse(files.get("model.safetensors").unwrap()).unwrap();
    let Format::Q8(metadata) = weights.format() else { panic!("not a q8 file") };
    assert_eq!(metadata.source, "bert-gelu-h36");
    assert_eq!(metadata.golden.pairs.len(), 2);
    // The logits in the file are those of the reference engine.
    let options = Options { device: Device::Candle, ..Options::default() };
    let exact = Reranker::load_blocking(ModelSource::Files(fixture.files()), options).unwrap();
    for pair in &metadata.golden.pairs {
        let exact = exact.score_blocking(&[(&pair.query, &pair.document)], Scores::Raw).unwrap();
        assert_eq!(pair.source_logits, exact);
        assert_ne!(pair.logits, exact);
    }
}

#[test]
fn quantising_while_loading_gives_almost_the_same_scores() {
    let fixture = fixture("bert-gelu-h36");
    let options = Options { dtype: Dtype::Q8, ..Options::default() };
    let reranker = Reranker::load_blocking(ModelSource::Files(fixture.files()), options).unwrap();
    let (exact, got) = (logits(&fixture.load(), &fixture), logits(&reranker, &fixture));
    let error = root_mean_square(got.iter().zip(&exact).map(|(got, exact)| got - exact));
    assert!(error > 0.0 && error < 0.3, "{error}");
}

#[test]
fn a_q8_file_is_not_quantised_again() {
    let files = quantized(&fixture("bert-gelu-h36"));
    let error = pollster::block_on(quantize(files, "again", Dtype::Q8)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input);
}

/// The q8 file of a fixture with an edited header of the same length.
fn with_edit(from: &str, to: &str) -> ModelFiles {
    assert_eq!(from.len(), to.len(), "the header keeps its length");
    let mut files = quantized(&fixture("bert-gelu-h36"));
    let mut bytes = files.take("model.safetensors").unwrap().into_owned();
    let offset =
        bytes.windows(from.len()).position(|window| window == from.as_bytes()).expect("the text is there");
    bytes[offset..offset + to.len()].copy_from_slice(to.as_bytes());
    files.insert("model.safetensors", bytes);
    files
}

#[test]
fn broken_q8_files_are_refused() {
    for (from, to, kind, name) in [
        (r#"\"version\":1"#, r#"\"version\":9"#, ErrorKind::Unsupported, "version 9"),
        (r#"\"format\":\"q8\""#, r#"\"format\":\"q9\""#, ErrorKind::Unsupported, "q9"),
        (r#"\"golden\""#, r#"\"silver\""#, ErrorKind::Weights, "golden"),
        ("output.dense.weight.scale", "output.dense.weight.skale", ErrorKind::Weights, "output.dense.weight"),
        (".weight.input_scale", ".weight.input_skale", ErrorKind::Weights, "input scales differ"),
        (r#""dtype":"U8""#, r#""dtype":"I8""#, ErrorKind::Weights, "not stored in 7-bit codes"),
        (
            "how do bees make honey",
            "?? ?? ?? ?? ?? ?? ????",
            ErrorKind::Integrity,
            "of the weights has the logits",
        ),
    ] {
        let error = load(with_edit(from, to)).expect_err(to);
        assert_eq!(error.kind(), kind, "{to}: {error}");
        assert!(error.context().contains(name), "{to}: {error}");
    }
}

/// Other tools can store some matrices of a q8 file as floats. f32 computes with them.
#[test]
fn q8_refuses_a_matrix_that_is_stored_as_floats() {
    let name = "bert.encoder.layer.0.output.dense.weight";
    let mut files = quantized(&fixture("bert-gelu-h36"));
    let bytes = files.take("model.safetensors").unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let mut metadata = header.metadata().clone().unwrap();
    let mut own: serde_json::Value = serde_json::from_str(&metadata["ranklet"]).unwrap();
    own["golden"]["pairs"] = serde_json::json!([]);
    metadata.insert("ranklet".to_owned(), own.to_string());
    let zeros = vec![0; 4 * 36 * 53];
    let tensors = SafeTensors::deserialize(&bytes).unwrap().tensors();
    let is_part = |part: &str| part.strip_prefix(name).is_some_and(|suffix| suffix.starts_with('.'));
    let views = tensors.into_iter().filter(|(part, _)| !is_part(part)).map(|(part, view)| {
        let floats = TensorView::new(safetensors::Dtype::F32, vec![36, 53], &zeros).unwrap();
        if part == name { (part, floats) } else { (part, view) }
    });
    files.insert("model.safetensors", safetensors::serialize(views, Some(metadata)).unwrap());
    let error = load(files.clone()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Weights);
    assert!(error.context().contains(&format!("{name} is not stored in 7-bit codes")), "{error}");
    let options = Options { device: Device::Cpu, dtype: Dtype::F32, ..Options::default() };
    Reranker::load_blocking(ModelSource::Files(files), options).unwrap();
}

#[test]
fn codes_of_more_than_seven_bits_and_scales_that_are_not_finite_are_refused() {
    let files = quantized(&fixture("bert-gelu-h36"));
    let bytes = files.get("model.safetensors").unwrap();
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize + 8;
    let offset_of = |name: &str| {
        let (_, metadata) = SafeTensors::read_metadata(bytes).unwrap();
        header + metadata.info(name).unwrap().data_offsets.0
    };
    let name = "bert.encoder.layer.1.attention.self.key.weight";
    for (offset, data) in
        [(offset_of(name), &[200u8][..]), (offset_of(&format!("{name}.scale")), &[0, 0, 0xc0, 0x7f])]
    {
        let mut broken = bytes.to_vec();
        broken[offset..offset + data.len()].copy_from_slice(data);
        let mut files = files.clone();
        files.insert("model.safetensors", broken);
        let error = load(files).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Weights);
        assert!(error.context().contains(name), "{error}");
    }
}
