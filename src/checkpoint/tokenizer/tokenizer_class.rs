//! HF's tokenizer classes, and the choice of one for a checkpoint (transformers 5.24, `tokenization_auto.py`).

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
    /// `MPNetTokenizer`: BERT's word pieces in RoBERTa's template.
    MpNet,
    /// `RobertaTokenizer`.
    Roberta,
    /// `XLMRobertaTokenizer`.
    XlmRoberta,
    /// `AlbertTokenizer`: XLM-RoBERTa's words after more normalization, in BERT's template.
    Albert,
    /// `CamembertTokenizer`.
    Camembert,
    /// `DebertaV2Tokenizer`.
    DebertaV2,
    /// `Qwen2Tokenizer`, also for Qwen3.
    Qwen2,
}

/// Class names, without the suffix `Fast` of older files.
const CLASSES: [(&str, TokenizerClass); 23] = [
    ("TokenizersBackend", TokenizerClass::Backend),
    ("BloomTokenizer", TokenizerClass::Backend),
    // Its constructor is BERT's, but it reads tokenizer.json as it is.
    ("ConvBertTokenizer", TokenizerClass::Backend),
    ("PreTrainedTokenizer", TokenizerClass::Backend),
    ("PythonBackend", TokenizerClass::Backend),
    ("BertTokenizer", TokenizerClass::Bert),
    ("ElectraTokenizer", TokenizerClass::Bert),
    ("MobileBertTokenizer", TokenizerClass::Bert),
    ("LayoutLMTokenizer", TokenizerClass::Bert),
    ("LxmertTokenizer", TokenizerClass::Bert),
    ("SqueezeBertTokenizer", TokenizerClass::Bert),
    ("DistilBertTokenizer", TokenizerClass::DistilBert),
    ("MPNetTokenizer", TokenizerClass::MpNet),
    ("RobertaTokenizer", TokenizerClass::Roberta),
    ("LongformerTokenizer", TokenizerClass::Roberta),
    ("BartTokenizer", TokenizerClass::Roberta),
    ("LEDTokenizer", TokenizerClass::Roberta),
    ("MvpTokenizer", TokenizerClass::Roberta),
    ("XLMRobertaTokenizer", TokenizerClass::XlmRoberta),
    ("AlbertTokenizer", TokenizerClass::Albert),
    ("CamembertTokenizer", TokenizerClass::Camembert),
    ("DebertaV2Tokenizer", TokenizerClass::DebertaV2),
    ("Qwen2Tokenizer", TokenizerClass::Qwen2),
];

/// Other classes of transformers that build a tokenizer of their own or need other files than `tokenizer.json`.
/// Transformers reads `tokenizer.json` as it is for any name that it does not know.
const UNSUPPORTED: &str = "Barthez Bartpho BertGeneration BertJapanese BertTokenizerLegacy Bertweet BigBird BioGpt \
    Blenderbot BlenderbotSmall ByT5 CLIP CTRL Canine Clvp CodeGen CodeLlama Cohere Cpm CpmAnt \
    DPRContextEncoder DPRQuestionEncoder DPRReader Deberta Dia Esm Esmc FNet FSMT FastSpeech2Conformer \
    Flaubert Funnel GPT2 GPTNeoX GPTNeoXJapanese GPTSw3 Gemma Herbert Lasr LayoutLMv2 LayoutLMv3 \
    LayoutXLM Llama Luke M2M100 MBart MBart50 MLuke Marian MarkupLM Mgpstr MyT5 Nllb Nougat \
    OpenAIGPT PLBart Parakeet Pegasus Perceiver Phobert Pop2Piano ProphetNet Qwen3_5 Rag Reformer \
    RemBert RoCBert RoFormer SeamlessM4T Siglip Siglip2 Speech2Text SpeechT5 Splinter T5 Tapas Tipsv2 \
    Udop VideoPrism Vits Wav2Vec2CTC Wav2Vec2PhonemeCTC Whisper XGLM XLM XLNet";

/// The classes for model types, if no file names a class.
const MODEL_TYPES: [(&str, TokenizerClass); 17] = [
    ("albert", TokenizerClass::Albert),
    ("bert", TokenizerClass::Bert),
    ("camembert", TokenizerClass::Camembert),
    ("data2vec-text", TokenizerClass::Roberta),
    ("deberta-v2", TokenizerClass::DebertaV2),
    // Not DistilBertTokenizer: if no class is named, HF passes token types.
    ("distilbert", TokenizerClass::Bert),
    ("electra", TokenizerClass::Bert),
    ("ernie", TokenizerClass::Bert),
    ("gte", TokenizerClass::XlmRoberta),
    ("jina_embeddings_v3", TokenizerClass::XlmRoberta),
    ("mpnet", TokenizerClass::MpNet),
    ("nomic_bert", TokenizerClass::Bert),
    ("qwen2", TokenizerClass::Qwen2),
    ("qwen3", TokenizerClass::Qwen2),
    ("roberta", TokenizerClass::Roberta),
    ("roberta-prelayernorm", TokenizerClass::Roberta),
    ("xlm-roberta", TokenizerClass::XlmRoberta),
];

impl TokenizerClass {
    /// Returns the class for the name in `tokenizer_config.json` (or `config.json`) and the model type. A name that
    /// transformers does not know means [`Backend`](Self::Backend), as in transformers 5.
    ///
    /// # Errors
    /// `unsupported` for a class of transformers that gives other tokens.
    pub(crate) fn resolve(named: Option<&str>, model_type: Option<&str>) -> Result<Self> {
        match (named, model_type) {
            // HF ignores the class names in the published files of these models, because they are wrong.
            (_, Some("modernbert" | "modernbert-decoder")) => Ok(Self::Backend),
            (_, Some("qwen2")) => Ok(Self::Qwen2),
            (Some(name), _) => {
                let name = name.strip_suffix("Fast").unwrap_or(name);
                if is_unsupported(name) {
                    return Err(unsupported(format!(
                        "tokenizer_config.json: the tokenizer_class {name:?} is not supported, because it does not \
                         read all of tokenizer.json; if tokenizer.json gives the right tokens by itself, set \
                         tokenizer_class to \"PreTrainedTokenizerFast\""
                    )));
                }
                Ok(find(&CLASSES, name).unwrap_or(Self::Backend))
            }
            (None, model_type) => {
                Ok(model_type.and_then(|name| find(&MODEL_TYPES, name)).unwrap_or(Self::Backend))
            }
        }
    }

    /// Returns the fields of special tokens that the class's constructor does not allow to be `null`, or takes for the
    /// text "None".
    pub(crate) fn required_tokens(self) -> &'static [&'static str] {
        match self {
            Self::Backend | Self::Qwen2 => &[],
            Self::Bert | Self::DistilBert => &["cls_token", "sep_token", "unk_token"],
            Self::Roberta | Self::MpNet | Self::DebertaV2 => &["cls_token", "sep_token"],
            Self::XlmRoberta | Self::Camembert => &["bos_token", "eos_token", "unk_token"],
            Self::Albert => &["cls_token", "sep_token"],
        }
    }

    /// Returns whether the class passes token types to the model by default.
    pub(crate) fn uses_token_types(self) -> bool {
        matches!(self, Self::Bert | Self::DebertaV2)
    }
}

/// Returns whether `name` is a class in [`UNSUPPORTED`], where the suffix `Tokenizer` is left out.
fn is_unsupported(name: &str) -> bool {
    let name = name.strip_suffix("Tokenizer").unwrap_or(name);
    UNSUPPORTED.split(' ').any(|known| known == name)
}

fn find(table: &[(&str, TokenizerClass)], name: &str) -> Option<TokenizerClass> {
    table.iter().find(|(known, _)| *known == name).map(|(_, class)| *class)
}
