//! Embeddings: tables, their norm, and a projection to the width of the layers.

use super::PlanBuilder;
use super::linear::linear;
use crate::checkpoint::Weights;
use crate::error::{Result, weights};
use crate::model::plan::{Embed, PositionTable, Projection, Step, Table};
use crate::model::tensor_names::EmbeddingProjection;

impl PlanBuilder<'_> {
    /// Rejects a table of token types that the configuration says does not exist, because ignoring it would change
    /// scores.
    pub(super) fn check_token_types(&self, weights: &Weights) -> Result<()> {
        let table = format!("{}{}.weight", self.prefix, self.names.token_type_embeddings);
        if self.config.type_vocab_size == 0 && weights.contains(&table) {
            return Err(self::weights(format!("{table} exists, but config.json has type_vocab_size 0")));
        }
        Ok(())
    }

    /// Returns the steps that normalize embeddings and project them to the width of the layers.
    pub(super) fn embedding_norm_and_projection(&self) -> Vec<Step> {
        let (embedding, hidden) = (self.config.embedding_size, self.config.hidden_size);
        let Some(name) = self.names.embedding_norm else { return Vec::new() };
        let norm = |width| Step::Norm(self.norm(name, width));
        let project = |name: &str, bias| {
            let linear = linear(&format!("{}{name}", self.prefix), embedding, hidden, bias);
            Step::Project(Projection { linear, activation: None })
        };
        match self.names.embedding_projection {
            EmbeddingProjection::Always(name) => vec![norm(embedding), project(name, true)],
            _ if embedding == hidden => vec![norm(hidden)],
            EmbeddingProjection::Absent => vec![norm(embedding)],
            EmbeddingProjection::AfterNorm(name) => vec![norm(embedding), project(name, true)],
            EmbeddingProjection::BeforeNorm(name) => vec![project(name, false), norm(hidden)],
        }
    }

    pub(super) fn embed(&self) -> Embed {
        let config = self.config;
        let table = |name: &str, rows| Table {
            weight: format!("{}{name}.weight", self.prefix),
            rows,
            width: config.embedding_size,
        };
        let position = config.position_table.map(|numbering| PositionTable {
            table: table(self.names.position_embeddings, config.max_position_embeddings),
            numbering,
        });
        let types = config.type_vocab_size;
        Embed {
            word: table(self.names.word_embeddings, config.vocab_size),
            position,
            token_type: (types > 0).then(|| table(self.names.token_type_embeddings, types)),
            task: config.task_vocab_size.map(|tasks| table("embeddings.task_type_embeddings", tasks)),
        }
    }
}
