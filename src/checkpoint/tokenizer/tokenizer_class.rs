//! HF's tokenizer classes, and the choice of one for a checkpoint (transformers 5.23, `tokenization_auto.py`).

use crate::error::{Result, unsupported};

/// The supported tokenizer classes of HF. All but `Backend` take only the vocabulary from `tokenizer.json` and build
/// the other components themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenizerClass {
    /// `TokenizersBackend`, also called `PreTrainedTokenizerFast`: uses `tokenizer.json` unchanged.
    Backend,
    /// `BertTokenizer`, also for ELECTRA.
    Bert,
    /// `DistilBertTokenizer`: like BERT's, without token types.
    DistilBert,
    /// `RobertaTokenizer`.
    Roberta,
    /// `XLMRobertaTokenizer`.
    XlmRoberta,
    /// `CamembertTokenizer`.
    Camembert,
    /// `DebertaV2Tokenizer`.
    DebertaV2,
    /// `Qwen2Tokenizer`, also for Qwen3.
    Qwen2,
}

/// Class names, without the suffix `Fast` of older files.
const CLASSES: [(&str, TokenizerClass); 13] = [
    ("TokenizersBackend", TokenizerClass::Backend),
    ("PreTrainedTokenizer", TokenizerClass::Backend),
    ("PythonBackend", TokenizerClass::Backend),
    ("BertTokenizer", TokenizerClass::Bert),
    ("ElectraTokenizer", TokenizerClass::Bert),
    ("MobileBertTokenizer", TokenizerClass::Bert),
    ("DistilBertTokenizer", TokenizerClass::DistilBert),
    ("RobertaTokenizer", TokenizerClass::Roberta),
    ("LongformerTokenizer", TokenizerClass::Roberta),
    ("XLMRobertaTokenizer", TokenizerClass::XlmRoberta),
    ("CamembertTokenizer", TokenizerClass::Camembert),
    ("DebertaV2Tokenizer", TokenizerClass::DebertaV2),
    ("Qwen2Tokenizer", TokenizerClass::Qwen2),
];

/// The classes for model types, if no file names a class.
const MODEL_TYPES: [(&str, TokenizerClass); 12] = [
    ("bert", TokenizerClass::Bert),
    ("camembert", TokenizerClass::Camembert),
    ("deberta-v2", TokenizerClass::DebertaV2),
    // Not DistilBertTokenizer: if no class is named, HF passes token types.
    ("distilbert", TokenizerClass::Bert),
    ("electra", TokenizerClass::Bert),
    ("gte", TokenizerClass::XlmRoberta),
    ("jina_embeddings_v3", TokenizerClass::XlmRoberta),
    ("nomic_bert", TokenizerClass::Bert),
    ("qwen2", TokenizerClass::Qwen2),
    ("qwen3", TokenizerClass::Qwen2),
    ("roberta", TokenizerClass::Roberta),
    ("xlm-roberta", TokenizerClass::XlmRoberta),
];

impl TokenizerClass {
    /// Returns the class for the name in `tokenizer_config.json` (or `config.json`) and the model type.
    ///
    /// # Errors
    /// `unsupported` for an unknown class, which might give other tokens.
    pub(crate) fn resolve(named: Option<&str>, model_type: Option<&str>) -> Result<Self> {
        match (named, model_type) {
            // HF ignores the class names in the published files of these models, because they are wrong.
            (_, Some("modernbert" | "modernbert-decoder")) => Ok(Self::Backend),
            (_, Some("qwen2")) => Ok(Self::Qwen2),
            (Some(name), _) => find(&CLASSES, name.strip_suffix("Fast").unwrap_or(name)).ok_or_else(|| {
                unsupported(format!("tokenizer_config.json: the tokenizer_class {name:?} is not supported"))
            }),
            (None, model_type) => {
                Ok(model_type.and_then(|name| find(&MODEL_TYPES, name)).unwrap_or(Self::Backend))
            }
        }
    }

    /// Returns whether the class passes token types to the model by default.
    pub(crate) fn uses_token_types(self) -> bool {
        matches!(self, Self::Bert | Self::DebertaV2)
    }
}

fn find(table: &[(&str, TokenizerClass)], name: &str) -> Option<TokenizerClass> {
    table.iter().find(|(known, _)| *known == name).map(|(_, class)| *class)
}
