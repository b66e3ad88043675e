//! Ranklet's q8 format: a safetensors file that stores large tensors as small integers.
//!
//! | tensor | type | content |
//! |---|---|---|
//! | matrix `W` `[out, in]` of the encoder | U8 | `q + 64` with `q` in -64..=63, that is 0..=127, the non-negative 7-bit operand of the relaxed integer dot product |
//! | `W.scale` `[out]` | F32 | `w = q * scale[out] / input_scale[in]` |
//! | `W.input_scale` `[in]`, optional | F32 | inputs are divided by it before they are quantized; 1 if absent |
//! | embedding table `E` `[rows, hidden]` | I8 | `q` in -127..=127 |
//! | `E.scale` `[rows]` | F32 | `e = q * scale[row]` |
//! | all others (biases, norms, the head) | F32 | the values |
//!
//! Names and shapes are those of the source checkpoint. The safetensors `__metadata__` has the entry `ranklet`, a JSON
//! object of [`Metadata`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::{Result, unsupported, weights};

/// The key in the safetensors metadata.
pub(super) const METADATA_KEY: &str = "ranklet";
/// Suffix of the tensor that holds the scales.
pub(super) const SCALE_SUFFIX: &str = ".scale";
/// Suffix of the tensor that holds the input scales.
pub(super) const INPUT_SCALE_SUFFIX: &str = ".input_scale";
/// Added to a 7-bit weight to make it non-negative.
pub(crate) const Q7_OFFSET: f32 = 64.0;
/// The largest stored code of a 7-bit weight.
pub(super) const MAX_Q7_CODE: u8 = 127;

/// Loading scores every golden pair, so their number is limited.
const MAX_GOLDEN_PAIRS: usize = 16;

/// The names of Ranklet's formats.
pub(super) const Q8: &str = "q8";
pub(super) const Q4: &str = "q4";
const VERSION: u32 = 1;
#[cfg(feature = "candle")]
const SCHEME: &str = "matrices: U8 = q + 64, q in -64..=63, w = q * scale[row] / input_scale[column]; \
                      embeddings: I8 = q in -127..=127, e = q * scale[row]; the rest F32";

#[cfg(feature = "candle")]
const Q4_SCHEME: &str = "matrices and embeddings: two codes in a byte, q = code - 8, q * scale[row, column / 32] rounded \
                         to q8 with the row's smallest scale that clips nothing; the rest F32";

/// The metadata of a q8 or q4 file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metadata {
    pub(super) format: String,
    version: u32,
    scheme: String,
    /// The origin of the weights: the model's name and the number type of its weights.
    pub source: String,
    /// In a q4 file, the number of values per row of each tensor in blocks.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) columns: BTreeMap<String, usize>,
    /// Pairs with their logits, computed with these weights by an exact f32 engine.
    pub golden: Golden,
}

/// Pairs with known logits. They verify the engine that loads the file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Golden {
    /// The pairs. Empty only while the file is being made.
    pub pairs: Vec<GoldenPair>,
}

/// One pair with known logits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GoldenPair {
    /// The query.
    pub query: String,
    /// The document.
    pub document: String,
    /// The logits of all labels from the stored weights, dequantized, in f32 arithmetic.
    pub logits: Vec<f32>,
    /// The logits of all labels from the source's weights in f32 arithmetic. The difference is the cost of
    /// quantization.
    pub source_logits: Vec<f32>,
}

impl Metadata {
    #[cfg(feature = "candle")]
    pub(crate) fn q8(source: String, golden: Golden) -> Self {
        Self {
            format: Q8.to_owned(),
            version: VERSION,
            scheme: SCHEME.to_owned(),
            source,
            columns: BTreeMap::new(),
            golden,
        }
    }

    #[cfg(feature = "candle")]
    pub(crate) fn q4(source: String, columns: BTreeMap<String, usize>, golden: Golden) -> Self {
        Self { format: Q4.to_owned(), scheme: Q4_SCHEME.to_owned(), columns, ..Self::q8(source, golden) }
    }

    pub(super) fn parse(text: &str) -> Result<Self> {
        let metadata: Self = serde_json::from_str(text)
            .map_err(|error| weights(format!("metadata {METADATA_KEY}: {error}")).with_source(error))?;
        if ![Q8, Q4].contains(&metadata.format.as_str()) || metadata.version != VERSION {
            return Err(unsupported(format!(
                "format {:?} version {}; this build supports {Q8:?} and {Q4:?} of version {VERSION}",
                metadata.format, metadata.version
            )));
        }
        match metadata.golden.pairs.len() {
            0..=MAX_GOLDEN_PAIRS => Ok(metadata),
            count => Err(weights(format!(
                "metadata {METADATA_KEY}: {count} golden pairs, more than {MAX_GOLDEN_PAIRS}"
            ))),
        }
    }
}
