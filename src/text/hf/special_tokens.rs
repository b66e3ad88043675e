//! The special tokens of a tokenizer.

use crate::checkpoint::{AddedToken, SpecialToken, TokenizerClass, TokenizerConfig};
use crate::error::{Result, tokenizer};

/// The named special tokens and the extra ones, from the configuration or the defaults of the class.
pub(super) struct SpecialTokenSet {
    pub(super) named: [Option<AddedToken>; 7],
    pub(super) extra: Vec<AddedToken>,
}

impl SpecialTokenSet {
    pub(super) fn new(config: &TokenizerConfig) -> Self {
        let mut named = config.special_tokens.named.clone();
        for (token, default) in named.iter_mut().zip(default_special_tokens(config.class)) {
            let default = default.map(AddedToken::special);
            *token = token.take().or(default);
        }
        let defaults: &[&str] = match config.class {
            TokenizerClass::Camembert => &["<s>NOTUSED", "</s>NOTUSED", "<unk>NOTUSED"],
            _ => &[],
        };
        let mask = &mut named[SpecialToken::Mask as usize];
        if let (TokenizerClass::Camembert | TokenizerClass::MpNet, Some(mask)) = (config.class, mask) {
            mask.lstrip = true;
        }
        let extra = config.special_tokens.extra.clone();
        Self {
            named,
            extra: extra.unwrap_or_else(|| defaults.iter().copied().map(AddedToken::special).collect()),
        }
    }

    /// Returns the text of a named token.
    ///
    /// # Errors
    /// `tokenizer` if neither the configuration nor the class names it.
    pub(super) fn content(&self, token: SpecialToken) -> Result<&str> {
        self.named[token as usize].as_ref().map(|token| token.content.as_str()).ok_or_else(|| {
            tokenizer(format!(
                "tokenizer_config.json names no {token:?} token, which its tokenizer class needs"
            ))
        })
    }
}

/// Returns the default tokens of a class, in the order of [`SpecialToken`]: bos, eos, unk, sep, pad, cls, mask.
fn default_special_tokens(class: TokenizerClass) -> [Option<&'static str>; 7] {
    match class {
        TokenizerClass::Backend => [None; 7],
        TokenizerClass::Bert | TokenizerClass::DistilBert => {
            [None, None, Some("[UNK]"), Some("[SEP]"), Some("[PAD]"), Some("[CLS]"), Some("[MASK]")]
        }
        TokenizerClass::Roberta | TokenizerClass::XlmRoberta | TokenizerClass::Camembert => {
            ["<s>", "</s>", "<unk>", "</s>", "<pad>", "<s>", "<mask>"].map(Some)
        }
        TokenizerClass::MpNet => ["<s>", "</s>", "[UNK]", "</s>", "<pad>", "<s>", "<mask>"].map(Some),
        TokenizerClass::Albert => ["[CLS]", "[SEP]", "<unk>", "[SEP]", "<pad>", "[CLS]", "[MASK]"].map(Some),
        TokenizerClass::DebertaV2 => {
            ["[CLS]", "[SEP]", "[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]"].map(Some)
        }
        TokenizerClass::Qwen2 => {
            let end = Some("<|endoftext|>");
            [None, end, end, None, end, None, None]
        }
    }
}
