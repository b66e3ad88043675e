//! Which of HF's tokenizer classes a checkpoint is read with (transformers 5.23, `tokenization_auto.py`).

use crate::error::{Result, unsupported};

/// HF's tokenizer classes that are copied. All but `Backend` take the vocabulary from `tokenizer.json` and make the
/// rest themselves, whatever that file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenizerClass {
    /// `TokenizersBackend`, also `PreTrainedTokenizerFast`: `tokenizer.json` as it is.
    Backend,
    /// `BertTokenizer`, also for ELECTRA.
    Bert,
    /// `DistilBertTokenizer`: BERT's without token types.
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

/// Names, without the `Fast` older files end them with.
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

/// What a model type is read with where no class is named.
const MODEL_TYPES: [(&str, TokenizerClass); 12] = [
    ("bert", TokenizerClass::Bert),
    ("camembert", TokenizerClass::Camembert),
    ("deberta-v2", TokenizerClass::DebertaV2),
    // Not DistilBertTokenizer: without a name, this one is given token types.
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
    /// The class for what `tokenizer_config.json` (or else `config.json`) names and for a model type.
    ///
    /// # Errors
    /// `unsupported` for a class that is not copied: it might make other tokens of the same file.
    pub(in crate::checkpoint) fn resolve(named: Option<&str>, model_type: Option<&str>) -> Result<Self> {
        match (named, model_type) {
            // Their published files name wrong classes, so HF does not look.
            (_, Some("modernbert" | "modernbert-decoder")) => Ok(Self::Backend),
            (_, Some("qwen2")) => Ok(Self::Qwen2),
            (Some(name), _) => find(&CLASSES, name.strip_suffix("Fast").unwrap_or(name)).ok_or_else(|| {
                unsupported(format!("tokenizer_config.json: the tokenizer_class {name:?} is not known"))
            }),
            (None, model_type) => {
                Ok(model_type.and_then(|name| find(&MODEL_TYPES, name)).unwrap_or(Self::Backend))
            }
        }
    }

    /// Whether the class hands token types to the model unless its files say otherwise.
    pub(in crate::checkpoint) fn uses_token_types(self) -> bool {
        matches!(self, Self::Bert | Self::DebertaV2)
    }
}

fn find(table: &[(&str, TokenizerClass)], name: &str) -> Option<TokenizerClass> {
    table.iter().find(|(known, _)| *known == name).map(|(_, class)| *class)
}
