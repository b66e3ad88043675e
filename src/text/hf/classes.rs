//! HF's tokenizer classes: how each builds a tokenizer from `tokenizer.json` and `tokenizer_config.json`.
//!
//! [`TokenizerClass::Backend`] uses all of `tokenizer.json`. The others take only its vocabulary, and some of them its
//! character map or its template; the rest comes from `tokenizer_config.json` and the defaults of the class.

use std::borrow::Cow;

use tokenizers::normalizers::replace::ReplacePattern;
use tokenizers::normalizers::{
    BertNormalizer, Lowercase, NFC, NFKD, Replace, Sequence as Normalizers, Strip, StripAccents,
};
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::metaspace::{Metaspace, PrependScheme};
use tokenizers::pre_tokenizers::punctuation::Punctuation;
use tokenizers::pre_tokenizers::sequence::Sequence as PreTokenizers;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::pre_tokenizers::whitespace::WhitespaceSplit;
use tokenizers::{NormalizerWrapper, PreTokenizerWrapper, SplitDelimiterBehavior};

use super::added_tokens;
use super::components::QWEN_PATTERN;
use super::model::{Model, Pipeline};
use super::special_tokens::SpecialTokenSet;
use super::tokenizer_json::TokenizerJson;
use crate::checkpoint::{SpecialToken, TokenizerClass, TokenizerConfig, TokenizerOptions};
use crate::error::{Result, tokenizer};
use crate::text::error::failed;
use crate::text::pair_template::PairTemplate;

/// HF's limit. Longer words become the unknown token.
const MAX_INPUT_CHARS_PER_WORD: usize = 100;
/// The character that SentencePiece replaces spaces with.
const SPACE: char = '▁';
/// White space that DeBERTa-v2 replaces with one space.
const DEBERTA_SPACES: &str = r"\s{2,}|[\n\r\t]";

/// Builds the pipeline and the pair template that HF builds from `json`.
///
/// # Errors
/// `tokenizer` for a malformed file, `unsupported` for a model of another type than the class has, or for a component
/// outside the supported ones.
pub(super) fn build(json: &TokenizerJson, config: &TokenizerConfig) -> Result<(Pipeline, PairTemplate)> {
    let special_tokens = SpecialTokenSet::new(config);
    let (model, normalizer, pre_tokenizer) = stages(json, config, &special_tokens)?;
    let normalizer = if config.lower_case { Some(with_lowercase(normalizer)) } else { normalizer };
    let mut pipeline = Pipeline::new(model);
    pipeline.with_normalizer(normalizer).map_err(failed)?;
    pipeline.with_pre_tokenizer(pre_tokenizer);
    pipeline
        .add_tokens(
            added_tokens::collect(json, config, &special_tokens)?.iter().map(added_tokens::library_token),
        )
        .map_err(failed)?;
    let template = template(json, config.class, &special_tokens, &pipeline)?;
    Ok((pipeline, template))
}

/// Prepends sentence-transformers' `do_lower_case` to a normalizer, unless it has a step that lower-cases already.
fn with_lowercase(normalizer: Option<NormalizerWrapper>) -> NormalizerWrapper {
    let steps = match normalizer {
        None => Vec::new(),
        Some(NormalizerWrapper::Sequence(steps)) => steps.as_ref().to_vec(),
        Some(step) => vec![step],
    };
    if steps.iter().any(|step| matches!(step, NormalizerWrapper::Lowercase(_))) {
        return Normalizers::new(steps).into();
    }
    Normalizers::new(std::iter::once(Lowercase.into()).chain(steps).collect()).into()
}

/// Model, normalizer and pre-tokenizer.
type Stages = (Model, Option<NormalizerWrapper>, Option<PreTokenizerWrapper>);

fn stages(
    json: &TokenizerJson,
    config: &TokenizerConfig,
    special_tokens: &SpecialTokenSet,
) -> Result<Stages> {
    let options = &config.options;
    let unk_token = || special_tokens.content(SpecialToken::Unk);
    match config.class {
        TokenizerClass::Backend => Ok((json.model()?, json.normalizer()?, json.pre_tokenizer()?)),
        TokenizerClass::Bert | TokenizerClass::DistilBert | TokenizerClass::MpNet => {
            bert(json, options, unk_token()?)
        }
        TokenizerClass::Roberta => {
            let pre_tokenizer = ByteLevel::new(options.add_prefix_space.unwrap_or(false), true, true);
            Ok((byte_pairs(json)?, None, Some(pre_tokenizer.into())))
        }
        TokenizerClass::Qwen2 => {
            Ok((byte_pairs(json)?, Some(NFC.into()), Some(qwen_pre_tokenizer(options)?)))
        }
        TokenizerClass::XlmRoberta => sentence_piece(json, options, |_| 3),
        TokenizerClass::Albert => {
            let (model, charsmap, pre_tokenizer) = sentence_piece(json, options, |_| 1)?;
            Ok((model, Some(albert_normalizer(options, charsmap)?), pre_tokenizer))
        }
        TokenizerClass::Camembert => {
            let unk_token = unk_token()?;
            sentence_piece(json, options, |vocab| {
                vocab.iter().position(|(piece, _)| piece == unk_token).unwrap_or(0)
            })
        }
        TokenizerClass::DebertaV2 => deberta(json, options, unk_token()?),
    }
}

fn bert(json: &TokenizerJson, options: &TokenizerOptions, unk_token: &str) -> Result<Stages> {
    let mut model = json.word_piece()?;
    model.library.unk_token = unk_token.to_owned();
    model.library.continuing_subword_prefix = "##".to_owned();
    model.library.max_input_chars_per_word = MAX_INPUT_CHARS_PER_WORD;
    let normalizer = BertNormalizer::new(
        true,
        options.tokenize_chinese_chars.unwrap_or(true),
        options.strip_accents,
        options.do_lower_case.unwrap_or(true),
    );
    Ok((Model::WordPiece(model), Some(normalizer.into()), Some(BertPreTokenizer.into())))
}

fn sentence_piece(
    json: &TokenizerJson,
    options: &TokenizerOptions,
    unk_id: impl FnOnce(&[(Cow<str>, f64)]) -> usize,
) -> Result<Stages> {
    let model = json.unigram(|vocab, _| Some(unk_id(vocab)))?;
    let prepend =
        if options.add_prefix_space.unwrap_or(true) { PrependScheme::Always } else { PrependScheme::Never };
    let steps = vec![WhitespaceSplit.into(), Metaspace::new(SPACE, prepend, true).into()];
    Ok((Model::Unigram(model), json.charsmap()?, Some(PreTokenizers::new(steps).into())))
}

fn albert_normalizer(
    options: &TokenizerOptions,
    charsmap: Option<NormalizerWrapper>,
) -> Result<NormalizerWrapper> {
    let quote = |quote: &str| Replace::new(ReplacePattern::String(quote.to_owned()), "\"").map_err(failed);
    let mut steps: Vec<NormalizerWrapper> = vec![quote("``")?.into(), quote("''")?.into()];
    if !options.keep_accents.unwrap_or(false) {
        steps.extend([NFKD.into(), StripAccents.into()]);
    }
    if options.do_lower_case.unwrap_or(true) {
        steps.push(Lowercase.into());
    }
    steps.extend(charsmap);
    Ok(Normalizers::new(steps).into())
}

fn deberta(json: &TokenizerJson, options: &TokenizerOptions, unk_token: &str) -> Result<Stages> {
    let default = options.unk_id.unwrap_or(1);
    let model = json.unigram(|vocab, _| {
        Some(vocab.iter().position(|piece| *piece == (unk_token.into(), 0.0)).unwrap_or(default))
    })?;
    Ok((Model::Unigram(model), Some(deberta_normalizer(options)?), Some(deberta_pre_tokenizer(options))))
}

/// Builds a BPE model from the merges and the vocabulary, without the other fields of the file.
fn byte_pairs(json: &TokenizerJson) -> Result<Model> {
    let mut model = json.byte_pairs()?;
    model.unk_token = None;
    model.fuse_unk = false;
    model.byte_fallback = false;
    model.end_of_word_suffix = None;
    model.ignore_merges = false;
    Ok(Model::Bpe(model))
}

fn qwen_pre_tokenizer(options: &TokenizerOptions) -> Result<PreTokenizerWrapper> {
    let pattern = SplitPattern::Regex(QWEN_PATTERN.to_owned());
    let split = Split::new(pattern, SplitDelimiterBehavior::Isolated, false).map_err(failed)?;
    let bytes = ByteLevel::new(options.add_prefix_space.unwrap_or(false), true, false);
    Ok(PreTokenizers::new(vec![split.into(), bytes.into()]).into())
}

fn deberta_normalizer(options: &TokenizerOptions) -> Result<NormalizerWrapper> {
    let pattern = ReplacePattern::Regex(DEBERTA_SPACES.to_owned());
    let spaces = Replace::new(pattern, " ").map_err(failed)?;
    let lower = options.do_lower_case.unwrap_or(false).then(|| Lowercase.into());
    let rest: [NormalizerWrapper; 3] = [spaces.into(), NFC.into(), Strip::new(false, true).into()];
    Ok(Normalizers::new(lower.into_iter().chain(rest).collect()).into())
}

fn deberta_pre_tokenizer(options: &TokenizerOptions) -> PreTokenizerWrapper {
    let prepend =
        if options.add_prefix_space.unwrap_or(true) { PrependScheme::Always } else { PrependScheme::First };
    let punctuation = Punctuation::new(SplitDelimiterBehavior::Isolated);
    let punctuation = options.split_by_punct.unwrap_or(false).then(|| punctuation.into());
    let spaces = Metaspace::new(SPACE, prepend, true).into();
    PreTokenizers::new(punctuation.into_iter().chain([spaces]).collect()).into()
}

fn template(
    json: &TokenizerJson,
    class: TokenizerClass,
    special_tokens: &SpecialTokenSet,
    pipeline: &Pipeline,
) -> Result<PairTemplate> {
    let id = |token| {
        let content = special_tokens.content(token)?;
        let missing = || tokenizer(format!("tokenizer.json: the vocabulary has no {content:?}"));
        pipeline.token_to_id(content).ok_or_else(missing)
    };
    Ok(match class {
        TokenizerClass::Backend | TokenizerClass::Qwen2 => json.pair_template()?,
        TokenizerClass::Bert
        | TokenizerClass::DistilBert
        | TokenizerClass::DebertaV2
        | TokenizerClass::Albert => PairTemplate::bert(id(SpecialToken::Cls)?, id(SpecialToken::Sep)?),
        TokenizerClass::Roberta | TokenizerClass::MpNet => {
            PairTemplate::roberta(id(SpecialToken::Cls)?, id(SpecialToken::Sep)?)
        }
        TokenizerClass::XlmRoberta | TokenizerClass::Camembert => {
            PairTemplate::roberta(id(SpecialToken::Bos)?, id(SpecialToken::Eos)?)
        }
    })
}
