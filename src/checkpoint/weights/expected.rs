//! The tensors that a configuration requires, in the order in which the model uses them.

use std::collections::HashSet;

use super::quant_grid::QuantGrid;

/// A tensor that a model reads.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ExpectedTensor {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) role: ExpectedRole,
    /// The grid of the tensor in q8; `None` if it is not quantized.
    pub(crate) grid: Option<QuantGrid>,
}

/// What a model does with a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExpectedRole {
    /// Looks up its rows.
    Table,
    /// Projects to queries.
    Query,
    /// Projects to keys.
    Key,
    /// Projects to values.
    Value,
    /// Another matrix of a linear layer.
    Matrix,
    /// The scale of a norm.
    Norm,
    /// The bias of a linear layer or a norm.
    Bias,
    /// A table, a matrix or a norm of relative positions, which does not depend on the text.
    Position,
}

/// Returns the name of a table of relative positions whose rows are already normalized.
pub(crate) fn normalized_table(name: &str) -> String {
    format!("{}.normalized", name.strip_suffix(".weight").unwrap_or(name))
}

/// Every way to name the tensors of a configuration, the usual one first.
#[derive(Debug, Clone, Default)]
pub(crate) struct ExpectedTensors {
    pub(crate) namings: Vec<Vec<ExpectedTensor>>,
    /// Whether tensors of plain files are rounded to their grid while they are read.
    pub(crate) is_quantized: bool,
    /// The names of the tensors whose numbers are read, if the engine computes only a stage of the model. Of the others,
    /// names and shapes are checked.
    pub(crate) stage: Option<HashSet<String>>,
}

impl ExpectedTensors {
    /// Returns tensors of which only names and grids are known, to be quantized.
    #[cfg(test)]
    pub(crate) fn of_grids(grids: impl IntoIterator<Item = (String, QuantGrid)>) -> Self {
        let tensor = |(name, grid)| ExpectedTensor {
            name,
            shape: Vec::new(),
            role: ExpectedRole::Matrix,
            grid: Some(grid),
        };
        Self { namings: vec![grids.into_iter().map(tensor).collect()], is_quantized: true, stage: None }
    }

    /// Returns whether the numbers of a tensor are read.
    pub(super) fn is_read(&self, name: &str) -> bool {
        self.stage.as_ref().is_none_or(|stage| stage.contains(name))
    }

    /// Returns the grid that a tensor of a plain file is rounded to while it is read, if it should be.
    pub(super) fn quantization(&self, name: &str) -> Option<QuantGrid> {
        if !self.is_quantized {
            return None;
        }
        self.namings.iter().flatten().find(|tensor| tensor.name == name)?.grid
    }
}
