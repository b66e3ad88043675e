//! Published rerankers of families that are not read: what they are, and a model to use instead.

use crate::checkpoint::json::Object;
use crate::error::{Error, Result, unsupported};

/// A kind of rerankers that is not read.
struct OtherKind {
    /// Values of `model_type`.
    model_types: &'static [&'static str],
    what: &'static str,
    instead: &'static str,
}

/// A small reranker for English, one for many languages, and one with long documents; all run everywhere.
const ENCODERS: &str = "BAAI/bge-reranker-v2-m3 (100 languages) or Alibaba-NLP/gte-reranker-modernbert-base (long documents in English)";
/// Decoders that native programs run.
const DECODERS: &str = "Qwen/Qwen3-Reranker-0.6B (native programs) or BAAI/bge-reranker-v2-m3";

const OTHER_KINDS: [OtherKind; 6] = [
    OtherKind {
        model_types: &["gemma", "gemma2", "gemma3", "gemma3_text", "minicpm"],
        what: "a decoder, such as BAAI/bge-reranker-v2-gemma and BAAI/bge-reranker-v2-minicpm-layerwise",
        instead: DECODERS,
    },
    OtherKind {
        model_types: &[
            "llama",
            "llama_bidirec",
            "mistral",
            "mixtral",
            "phi",
            "phi3",
            "granite",
            "qwen3_moe",
            "qwen3_5",
        ],
        what: "a decoder, such as the pointwise nvidia/llama-nemotron-rerank-1b-v2 and the listwise \
               castorini/rank_zephyr_7b_v1_full and castorini/first_mistral",
        instead: DECODERS,
    },
    OtherKind {
        model_types: &["t5", "mt5", "umt5", "longt5"],
        what: "a model with an encoder and a decoder, such as monoT5 and RankT5",
        instead: ENCODERS,
    },
    OtherKind {
        model_types: &[
            "qwen2_vl",
            "qwen2_5_vl",
            "qwen3_vl",
            "paligemma",
            "idefics3",
            "colpali",
            "colqwen2",
            "siglip",
            "clip",
        ],
        what: "a model of images and texts, such as jinaai/jina-reranker-m0 and Qwen/Qwen3-VL-Reranker-2B",
        instead: DECODERS,
    },
    OtherKind {
        model_types: &[
            "xlnet",
            "longformer",
            "big_bird",
            "mobilebert",
            "deberta",
            "luke",
            "nystromformer",
            "roformer",
            "convbert",
            "megatron-bert",
        ],
        what: "an encoder of another family",
        instead: ENCODERS,
    },
    OtherKind {
        model_types: &["nomic_bert", "lfm2", "bidirectional_lfm2", "openelm"],
        what: "a model whose code is not transformers' own or not of a family here",
        instead: ENCODERS,
    },
];

/// Architectures whose classes compute something else than one score of one pair, whatever their `model_type` is.
const OTHER_ARCHITECTURES: [(&str, &str, &str); 4] = [
    (
        "JinaForRanking",
        "a listwise reranker (jinaai/jina-reranker-v3), which scores all documents together",
        DECODERS,
    ),
    ("JinaVLForRanking", "a reranker of images and texts (jinaai/jina-reranker-m0)", DECODERS),
    (
        "HF_ColBERT",
        "a ColBERT, which compares the tokens of query and document after it has read each alone",
        "cross-encoder/ms-marco-MiniLM-L6-v2 or BAAI/bge-reranker-v2-m3",
    ),
    (
        "ColBERT",
        "a ColBERT, which compares the tokens of query and document after it has read each alone",
        "cross-encoder/ms-marco-MiniLM-L6-v2 or BAAI/bge-reranker-v2-m3",
    ),
];

/// Checks that no architecture is one of another kind.
///
/// # Errors
/// `unsupported`, naming a model to use instead.
pub(super) fn check_architectures(json: &Object) -> Result<()> {
    for name in json.strings("architectures")?.unwrap_or_default() {
        if let Some((_, what, instead)) = OTHER_ARCHITECTURES.iter().find(|(other, ..)| *other == name) {
            return Err(unsupported(format!(
                "config.json: architectures names {name:?}: {what}; it is not read: use {instead}"
            )));
        }
    }
    Ok(())
}

/// Returns the error for a `model_type` that is not read; `known` are those that are.
pub(super) fn unsupported_family(model_type: &str, known: &[&str]) -> Error {
    let kind = OTHER_KINDS.iter().find(|kind| kind.model_types.contains(&model_type));
    let advice = match kind {
        Some(OtherKind { what, instead, .. }) => format!("this is {what}; it is not read: use {instead}"),
        None => format!("use one of those families, such as {ENCODERS}"),
    };
    unsupported(format!(
        "config.json: model_type {model_type:?}; this build supports {}; {advice}",
        known.join(", ")
    ))
}
