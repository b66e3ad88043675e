//! Generates checkpoints of real sizes with random weights.

use std::collections::HashMap;
use std::path::Path;

use ranklet::ModelFiles;
use safetensors::tensor::{Dtype as Element, TensorView};
use serde_json::json;

/// Writes a BERT of this shape with random f32 weights and the tokenizer of the embedded model. Returns the bytes of the
/// largest tensor, and those of all weights in q8.
pub(crate) fn write_checkpoint(folder: &Path, layers: usize, hidden: usize) -> (usize, usize) {
    let embedded = ModelFiles::embedded();
    let mut config: serde_json::Value = serde_json::from_slice(embedded.get("config.json").unwrap()).unwrap();
    let vocabulary = config["vocab_size"].as_u64().unwrap() as usize;
    for (name, value) in [
        ("hidden_size", hidden),
        ("num_hidden_layers", layers),
        ("num_attention_heads", 4),
        ("intermediate_size", 4 * hidden),
    ] {
        config[name] = json!(value);
    }
    let mut shapes = vec![
        ("bert.embeddings.word_embeddings.weight".to_owned(), vec![vocabulary, hidden]),
        ("bert.embeddings.position_embeddings.weight".to_owned(), vec![512, hidden]),
        ("bert.embeddings.token_type_embeddings.weight".to_owned(), vec![2, hidden]),
    ];
    let mut norms = vec!["bert.embeddings.LayerNorm".to_owned()];
    let mut linears =
        vec![("bert.pooler.dense".to_owned(), hidden, hidden), ("classifier".to_owned(), 1, hidden)];
    for layer in 0..layers {
        let name = |part: &str| format!("bert.encoder.layer.{layer}.{part}");
        for part in ["self.query", "self.key", "self.value", "output.dense"] {
            linears.push((name(&format!("attention.{part}")), hidden, hidden));
        }
        linears.push((name("intermediate.dense"), 4 * hidden, hidden));
        linears.push((name("output.dense"), hidden, 4 * hidden));
        norms.extend([name("attention.output.LayerNorm"), name("output.LayerNorm")]);
    }
    for (name, rows, columns) in linears {
        shapes
            .extend([(format!("{name}.weight"), vec![rows, columns]), (format!("{name}.bias"), vec![rows])]);
    }
    for name in norms {
        shapes.extend([(format!("{name}.weight"), vec![hidden]), (format!("{name}.bias"), vec![hidden])]);
    }
    let largest = shapes.iter().map(|(_, shape)| 4 * shape.iter().product::<usize>()).max().unwrap();
    let as_q8 = shapes.iter().map(|(_, shape)| q8_bytes(shape)).sum();
    let data: Vec<Vec<u8>> = shapes.iter().map(|(_, shape)| random(shape.iter().product())).collect();
    let views = shapes.iter().zip(&data).map(|((name, shape), data)| {
        (name.as_str(), TensorView::new(Element::F32, shape.clone(), data).unwrap())
    });
    safetensors::serialize_to_file(views.collect::<HashMap<_, _>>(), None, &folder.join("model.safetensors"))
        .unwrap();
    std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
    for name in ["tokenizer.json", "tokenizer_config.json"] {
        std::fs::write(folder.join(name), embedded.get(name).unwrap()).unwrap();
    }
    (largest, as_q8)
}

/// The bytes of a tensor in q8: one per value and a scale per row for matrices and tables, f32 for vectors.
fn q8_bytes(shape: &[usize]) -> usize {
    match shape {
        [rows, columns] => rows * columns + 4 * rows,
        _ => 4 * shape.iter().product::<usize>(),
    }
}

/// Pseudorandom numbers between -0.1 and 0.1, the same on all machines.
fn random(count: usize) -> Vec<u8> {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 * 0.1 - 0.1
    };
    (0..count).flat_map(|_| next().to_le_bytes()).collect()
}
